"""Signals: which of them end a process in good order, and which do nothing."""

import logging
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_LOG: Final = logging.getLogger(__name__)

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_IGNORED: Final = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)
_PART_SECONDS: Final = 0.5
HANDLED: Final = _ENDING + _IGNORED
"""Every signal that this module changes the handling of."""


def ending_signals() -> tuple[signal.Signals, ...]:
    """The signals that end this process; SIGHUP is left out if it is ignored, as under nohup."""
    return tuple(number for number in _ENDING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN)


def ignore_the_rest() -> None:
    """Ignore the signals that have no meaning here but would end or stop a process by default."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def held_back() -> Iterator[None]:
    """Ending signals wait until the block is over, also in a process that is forked in it, until ``let_through``."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_through() -> None:
    """Deliver the ending signals that were held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _log_fault(_loop: str, what: str) -> None:
    _LOG.exception("unexpected exception: %s", what)


def end_on_signal(end: Callable[[], object], fault: Callable[[str, str], object] = _log_fault) -> None:
    """Call ``end`` in a thread of its own on each ending signal. Must be called in the main thread.

    ``fault`` is called with ``thread`` and what happened while an exception of ``end`` is handled: it logs and counts.
    A handler runs in the middle of whatever the main thread does, which may hold the very lock that ``end`` takes.
    """
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        while True:
            arrived.get()
            try:
                end()
            except Exception:
                fault("thread", "ending on a signal, which another signal tries again")

    threading.Thread(target=wait, name="signals", daemon=True).start()
    ignore_the_rest()
    for number in ending_signals():
        signal.signal(number, lambda number, _: arrived.put(number))


def wait_for(ended: threading.Event) -> None:
    """Wait in the main thread, in parts: the handler of a signal that came right before a wait runs only after it."""
    while not ended.wait(_PART_SECONDS):
        pass
