"""The command as it is, in a process that has read the code already and waits for its arguments.

The campaign runs this text in the root of the code that is wanted. Its argument is a file with the seconds by which the
wall clock of the process is wrong; it is read whenever the process asks for the time, so that the clock jumps when the
file changes. Watches that stay silent are given up after some seconds instead of minutes.
"""

import ctypes
import json
import signal
import sys
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final

SILENCE_SECONDS: Final = 12.0
"""After which a silent watch is given up; longer than bookmarks of the sandbox are apart."""


def main(clock_file: str) -> int:
    if sys.platform == "linux":
        # The kernel ends it when its parent dies, also while it is stopped.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    from webhook.cluster import clock, reflector

    # Before anything imports them by name.
    vars(reflector).update(Pace=partial(reflector.Pace, silence=SILENCE_SECONDS))
    vars(clock).update(SystemClock=wrong_clock(clock.SystemClock, Path(clock_file)))
    for name in ("kubernetes.client", "webhook.cluster.connection", "webhook.loop.process"):
        import_module(name)
    from webhook.cli import main as command

    line = sys.stdin.readline()
    return command(json.loads(line)) if line else 0


def wrong_clock(system: type, file: Path) -> type:
    """A clock whose time of day is wrong by as many seconds as the file says, if there is one."""

    class WrongClock(system):  # type: ignore[misc]
        def now(self) -> datetime:
            text = file.read_text() if file.exists() else ""
            right: datetime = super().now()
            return right + timedelta(seconds=float(text or 0))

    return WrongClock


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
