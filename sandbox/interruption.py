"""Interruption: a program that starts others ends them in order on Ctrl-C, says so in one line, and exits with 130."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from webhook.cli.errors import INTERRUPTED
from webhook.cli.streams import complain
from webhook.signals import HANDLED, ending_signals, ignore_the_rest


def run_interruptible(program: str, run: Callable[[], int]) -> int:
    """The exit code of ``run``; INTERRUPTED, and a line on standard error, if a signal ended it.

    What ``run`` started has ended then: it is to end it in ``finally``, or by leaving a context.
    """
    try:
        with ends_in_order():
            return run()
    except KeyboardInterrupt:
        complain(f"{program}: interrupted; everything that it started has ended")
        return INTERRUPTED


@contextmanager
def ends_in_order() -> Iterator[None]:
    """Every ending signal raises KeyboardInterrupt; while things end, another one does not get between.

    That holds for SIGINT too where it was ignored, as in what a shell without job control starts in the background.
    """
    ending = ending_signals()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in ending:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in HANDLED}
    ignore_the_rest()
    for number in ending:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
