"""The supervisor: restarts the loops of a process after exceptions, and reports those that are dead or hang."""

import asyncio
import logging
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal

from webhook.cluster.backoff import Backoff

_LOG: Final = logging.getLogger(__name__)

_LONGEST_WAIT: Final = 60.0
"""Longer waits are split, and each part counts as a turn."""

Turn = Callable[[], float | None]
"""One turn of a loop; returns the seconds until the next one, or None to end the loop."""


@dataclass(slots=True, eq=False)
class _Loop:
    name: str
    turned_at: float
    state: Literal["runs", "over", "dead"] = "runs"


class Supervisor:
    """Runs loops in threads or as tasks, and continues them after exceptions.

    The exception of a turn is logged with its traceback and counted; the next turn follows after a backoff. A loop that
    takes no turn for ``limit`` seconds hangs. ``count`` is called for each exception with the kind of the loop.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        count: Callable[[str], None] = lambda loop: None,
        *,
        limit: float = 300.0,
        random_number: Callable[[], float] = random.random,
    ) -> None:
        self._monotonic = monotonic
        self._count = count
        self._limit = limit
        self._random = random_number
        self._loops: list[_Loop] = []
        self._thread_local = threading.local()

    def start(
        self, loop: str, turn: Turn, wait: Callable[[float], bool], *, name: str = "", after: float = 0.0
    ) -> threading.Thread:
        """Take turns in a daemon thread, the first one ``after`` so many seconds.

        ``wait`` sleeps the given seconds and returns True if the loop must end.
        """
        kept = self._enter(name or loop)
        thread = threading.Thread(
            target=self._take_turns, args=(kept, loop, turn, wait, after), name=kept.name, daemon=True
        )
        thread.start()
        return thread

    async def keep(self, loop: str, turn: Callable[[], Awaitable[float | None]]) -> None:
        """Take turns in the awaiting task, until a turn returns None or the task is cancelled."""
        kept = self._enter(loop)
        backoff = Backoff(self._random)
        delay: float | None = 0.0
        try:
            while delay is not None:
                await asyncio.sleep(delay)
                try:
                    delay = await turn()
                    backoff.reset()
                except Exception:
                    self.fault(loop, kept.name)
                    delay = backoff.next()
                kept.turned_at = self._monotonic()
        except asyncio.CancelledError:
            kept.state = "over"
            raise
        except BaseException:
            kept.state = "dead"
            raise
        kept.state = "over"

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """Watch work of the calling thread that is no loop: it hangs after ``limit`` seconds without a ``beat``."""
        kept = self._enter(name)
        before, self._thread_local.loop = getattr(self._thread_local, "loop", None), kept
        try:
            yield
        finally:
            self._thread_local.loop = before
            self._loops.remove(kept)

    def report_uncaught(self) -> None:
        """Log and count, as ``thread``, what the threads of others raise, and what is raised in finalizers."""

        def report_thread(raised: threading.ExceptHookArgs) -> None:
            if not issubclass(raised.exc_type, SystemExit):
                name = raised.thread.name if raised.thread is not None else "a thread that has ended"
                self.fault("thread", f"{name}, which ends", raised.exc_value)

        def report_finalizer(raised: "sys.UnraisableHookArgs") -> None:
            what = f"{raised.err_msg or 'exception ignored'} ({type(raised.object).__qualname__})"
            self.fault("thread", what, raised.exc_value)

        threading.excepthook = report_thread
        sys.unraisablehook = report_finalizer

    def beat(self) -> None:
        """Report progress of the calling thread during a long turn; it counts as a turn."""
        loop: _Loop | None = getattr(self._thread_local, "loop", None)
        if loop is not None:
            loop.turned_at = self._monotonic()

    def fault(
        self,
        loop: str,
        what: str = "",
        problem: BaseException | None = None,
        fields: Mapping[str, object] | None = None,
        is_withheld: Callable[[str], bool] | None = None,
    ) -> None:
        """Log an exception with its traceback, by default the one being handled, and count it.

        ``is_withheld`` returns True for the message of an exception that the log must not contain. Raises nothing: the
        report of a fault must not be another one.
        """
        raised = True if problem is None else problem
        with suppress(Exception):
            extra = {"fields": dict(fields or {}), "is_withheld": is_withheld}
            _LOG.error("unexpected exception: %s; the process continues", what or loop, exc_info=raised, extra=extra)
        try:
            self._count(loop)
        except Exception:
            with suppress(Exception):
                _LOG.exception("an exception of %s is not counted", loop)

    def problems(self) -> list[str]:
        """One line for each loop that is dead or hangs."""
        now, loops = self._monotonic(), list(self._loops)
        found = [f"{loop.name}: dead" for loop in loops if loop.state == "dead"]
        return found + [
            f"{loop.name}: no turn for {now - loop.turned_at:.0f} s"
            for loop in loops
            if loop.state == "runs" and now - loop.turned_at > self._limit
        ]

    def health(self) -> tuple[bool, str]:
        """True if every loop is alive and takes its turns, and the text of the page that says so or what is wrong."""
        problems = self.problems()
        return not problems, "".join(f"{line}\n" for line in problems) or "ok\n"

    def _enter(self, name: str) -> _Loop:
        loop = _Loop(name, self._monotonic())
        self._loops.append(loop)
        return loop

    def _take_turns(
        self, kept: _Loop, loop: str, turn: Turn, wait: Callable[[float], bool], delay: float | None
    ) -> None:
        self._thread_local.loop = kept
        backoff = Backoff(self._random)
        try:
            while delay is not None and not self._paused(delay, wait):
                try:
                    delay = turn()
                    backoff.reset()
                except Exception:
                    self.fault(loop, kept.name)
                    delay = backoff.next()
                self.beat()
        except BaseException as problem:
            # Such as SystemExit, which Python passes over in a thread. The liveness probe restarts the process.
            kept.state = "dead"
            self.fault(loop, f"{kept.name}, which ends", problem)
            return
        kept.state = "over"

    def _paused(self, seconds: float, wait: Callable[[float], bool]) -> bool:
        """Wait before the next turn; True if the loop must end."""
        while seconds > 0:
            if wait(min(seconds, _LONGEST_WAIT)):
                return True
            self.beat()
            seconds -= _LONGEST_WAIT
        return False
