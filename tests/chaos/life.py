"""One process of the loop, from its start to its end."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.chaos.clocks import set_clock

KILLED: Final = -signal.SIGKILL

BY_KILL: Final = "by SIGKILL"
BY_TERM: Final = "by SIGTERM"

ENTRY: Final = Path(__file__).with_name("entry.py")
_REPOSITORY: Final = Path(__file__).parents[2]


class Life:
    """A process that has imported the code and waits for ``begin``. ``name`` is unique, ``folder`` an absolute path.

    ``code`` is the root of another release, None for the code at hand. The wall clock is right until ``set_clock``.
    """

    def __init__(self, name: str, folder: Path, code: Path | None = None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._clock = folder / f"{name}.clock"
        with self.log.open("ab") as output:
            command = [sys.executable, "-c", ENTRY.read_text(), str(self._clock)]
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                cwd=code or _REPOSITORY,
                # Ctrl-C reaches the foreground group; only the campaign ends a loop.
                start_new_session=True,
            )
        self.born = float("inf")

    def begin(self, options: Sequence[str]) -> None:
        self.born = time.monotonic()
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(["loop", *options]) + "\n")
        self.popen.stdin.close()

    @property
    def age(self) -> float:
        return time.monotonic() - self.born

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    @property
    def leads(self) -> bool:
        """True if its log says so last; a stopped process does not log that it lost the lease."""
        output = self.output()
        return output.rfind(" leads (lease") > output.rfind(" lost lease ")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        self.popen.kill()

    def set_clock(self, wrong_by: float) -> None:
        """Let its wall clock be wrong by so many seconds from now on."""
        set_clock(self._clock, wrong_by)

    def freeze(self) -> None:
        """Stop it with SIGSTOP until ``wake``."""
        self.popen.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it if it still runs, and wait for that."""
        self.kill()
        self.popen.wait()
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        self._clock.unlink(missing_ok=True)

    def how_it_ended(self, *, asked: bool = False) -> str | None:
        """How it ended, waiting for it; None for an end that nothing explains. ``asked`` says that SIGTERM was sent."""
        code = self.popen.wait()
        if code == KILLED:
            return BY_KILL
        if asked and code in (0, -signal.SIGTERM):
            return BY_TERM
        return None
