"""Interruption: a program that starts others ends them in order on Ctrl-C, says so in one line, and exits with 130."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from webhook.cli.errors import INTERRUPTED
from webhook.cli.streams import complain
from webhook.signals import HANDLED, ending_signals, ignore_the_rest

_AGAIN_SECONDS: Final = 0.05


def run_interruptible(program: str, run: Callable[[], int]) -> int:
    """The exit code of ``run``; INTERRUPTED, and a line on standard error, if a signal ended it.

    ``run`` has to end what it started, in ``finally`` or by leaving a context.
    """
    try:
        with ends_in_order():
            return run()
    except KeyboardInterrupt:
        complain(f"{program}: interrupted; everything that it started has ended")
        return INTERRUPTED


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Every ending signal raises KeyboardInterrupt; the next ones, while things end, are ignored.

    That holds for SIGINT too where it was ignored, as in what a shell without job control starts in the background.
    Where the interpreter discards the exception, as in a destructor or while it forks, the signal is sent again.
    """
    ending = ending_signals()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in ending:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def handle() -> None:
        for number in ending:
            signal.signal(number, interrupt)

    def send_again(discarded: "sys.UnraisableHookArgs") -> None:
        if not isinstance(discarded.exc_value, KeyboardInterrupt):
            hook(discarded)
            return
        handle()
        threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT)).start()

    before = {number: signal.getsignal(number) for number in HANDLED}
    hook, sys.unraisablehook = sys.unraisablehook, send_again
    ignore_the_rest()
    handle()
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)
