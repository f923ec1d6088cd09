"""The command as it is, in a process whose wall clock may be wrong.

The campaign runs this text in the root of the code that is wanted. Its first argument is a file with the seconds by
which the wall clock of the process is wrong; it is read whenever the process asks for the time, so that the clock jumps
when the file changes. The others are the command's; without them the process reads the code already, and waits for them
on standard input. Watches that stay silent are given up after some seconds instead of minutes.
"""

import builtins
import ctypes
import datetime as dt
import json
import signal
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

SILENCE_SECONDS: Final = 12.0
"""After which a silent watch is given up; longer than bookmarks of the sandbox are apart."""

_PACKAGES: Final = ("webhook", "certs")


def main(clock_file: str, *arguments: str) -> int:
    if sys.platform == "linux":
        # The kernel ends it when its parent dies, also while it is stopped.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    # Before anything imports them by name.
    make_wrong(Path(clock_file))
    from webhook.cluster import reflector

    vars(reflector).update(Pace=partial(reflector.Pace, silence=SILENCE_SECONDS))
    if not arguments:
        for name in ("kubernetes.client", "webhook.cluster.connection", "webhook.loop.process"):
            import_module(name)
        arguments = tuple(json.loads(sys.stdin.readline() or "[]"))
    from webhook.cli import main as command

    return command(list(arguments)) if arguments else 0


def make_wrong(file: Path) -> None:
    """Let the code at hand import a ``datetime`` that goes by this file, and libraries the right one."""
    wrong = ModuleType("datetime")
    vars(wrong).update(vars(dt) | {"datetime": wrong_datetime(dt.datetime, file)})
    right_import = builtins.__import__

    def wrong_import(name: str, globals: Any = None, *rest: Any, **named: Any) -> ModuleType:  # noqa: A002
        package = str((globals or {}).get("__name__")).partition(".")[0]
        return wrong if name == "datetime" and package in _PACKAGES else right_import(name, globals, *rest, **named)

    vars(builtins).update(__import__=wrong_import)


def wrong_datetime(right: type[dt.datetime], file: Path) -> type[dt.datetime]:
    """A ``datetime`` whose ``now`` is wrong by as many seconds as the file says, if there is one."""

    class AnyDatetime(type):
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, right)

    class WrongDatetime(right, metaclass=AnyDatetime):  # type: ignore[misc,valid-type]
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            text = file.read_text() if file.exists() else ""
            return right.now(tz) + dt.timedelta(seconds=float(text or 0))

    return WrongDatetime


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
