"""A program that never outlives the test run that started it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Asks the kernel for SIGKILL when the starter dies, however it dies, then becomes the program. It runs between fork
# and exec in an interpreter of its own, since code there is not safe in a process with threads. The starter may have
# died before the kernel was asked: then the parent is another one.
_LEASH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Program:
    """A running program in a process group of its own; its output goes to a log file, in whose folder it works.

    ``environment`` is added to that of the starter.
    """

    def __init__(self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> None:
        arguments = [str(part) for part in command]
        if sys.platform == "linux":
            arguments = [sys.executable, "-ISc", _LEASH, str(os.getpid()), *arguments]
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments,
                cwd=log.parent,
                env=os.environ | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def last_words(self, lines: int = 5) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """End it at once, with all it started; safe to call twice."""
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
