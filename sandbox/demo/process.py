"""Process: one of our own commands as a child, which never outlives the process that started it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Asks the kernel to end this process when its parent ends, however that ends, then becomes the command. Code between
# fork and exec is not safe in a process with threads, so an interpreter of its own runs it. A parent that died before
# the kernel was asked is not the parent any more.
_TETHER: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
_POLL_SECONDS: Final = 0.05


class ProcessFailed(Exception):
    """A child ended, or did not get ready; the message holds its last words."""


class Process:
    """``stagegate ARGUMENTS`` in a process group of its own, its output in a log file.

    To be started from the main thread: the kernel takes the end of the starting thread for the end of the parent.
    """

    def __init__(
        self, arguments: Sequence[str], log: Path, code: Path | None = None, program: Sequence[str] = ("-m", "webhook")
    ) -> None:
        """``code`` is the folder whose packages are run, None for those of this process; ``program`` is for Python."""
        command = [sys.executable, *program, *arguments]
        if sys.platform == "linux":
            command = [sys.executable, "-ISc", _TETHER, str(os.getpid()), *command]
        self.name = f"stagegate {arguments[0]}"
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd=code
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def wait_for_line(self, start: str, seconds: float) -> str:
        """The rest of the first line of output that starts so. Raises ProcessFailed."""
        deadline = time.monotonic() + seconds
        while True:
            ended = not self.running
            for line in self.log.read_text(errors="replace").splitlines():
                if line.startswith(start):
                    return line.removeprefix(start).strip()
            if ended:
                raise ProcessFailed(f"{self.name} ended: {self.last_words()}")
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready within {seconds:.0f} s: {self.last_words()}")
            time.sleep(_POLL_SECONDS)

    def last_words(self) -> str:
        """The last line of output."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        if self.running:
            self._signal(signal.SIGTERM)

    def stop(self, seconds: float = 5.0) -> None:
        """Ask it to end, and after that many seconds end it with all it started; safe to call twice."""
        if self.running:
            self.terminate()
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(seconds)
            finally:
                self._signal(signal.SIGKILL)
        self._child.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)
