"""TimeLimit: bounds all that a command reads and writes together, and says what it waited for when time runs out."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from webhook.cli.errors import TIMED_OUT, CommandError

if TYPE_CHECKING:
    from webhook.cluster.transport import Request, Stream, Transport

_T = TypeVar("_T")

_READING: Final = ("get", "list", "watch")


class TimeLimit:
    """So many seconds from the first use on; ``math.inf`` is no limit."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._begun: float | None = None

    def left(self) -> float:
        """Seconds that are left, at least 0. The first call begins the time."""
        now = self._monotonic()
        if self._begun is None:
            self._begun = now
        return max(0.0, self._begun + self._seconds - now)

    def run(self, awaited: str, task: Callable[[], _T], *, note: str = "") -> _T:
        """The result of the task, which time bounds. Raises what it raises, or CommandError when time runs out.

        ``awaited`` names the task; ``note`` is what may be true of it although nobody waits for it any more.
        """
        if math.isinf(self.left()):
            return task()
        outcome: list[Callable[[], _T]] = []

        def ran() -> None:
            try:
                result = task()
                outcome.append(lambda: result)
            except BaseException as problem:
                outcome.append(_raising(problem))

        # A time-out of the socket would bound each step alone: the name of the host, the connection, each piece read.
        thread = threading.Thread(target=ran, name="time-limit", daemon=True)
        if self.left():
            thread.start()
            thread.join(self.left())
        if not outcome:
            raise CommandError(f"time ran out after {self._seconds:g} s while waiting for {awaited}{note}", TIMED_OUT)
        return outcome[0]()

    def sleep(self, seconds: float) -> None:
        """Sleep, at most as long as time is left."""
        time.sleep(min(seconds, self.left()))


class LimitedTransport:
    """A transport whose requests have a time limit together. Raises CommandError when time runs out."""

    def __init__(self, transport: "Transport", limit: TimeLimit) -> None:
        self._transport = transport
        self._limit = limit

    def send(self, request: "Request") -> Any:
        return self._bounded(request, self._transport.send)

    def stream(self, request: "Request") -> "Stream":
        return self._bounded(request, self._transport.stream)

    def _bounded(self, request: "Request", send: "Callable[[Request], _T]") -> _T:
        note = "" if request.call.verb in _READING else ", which may be stored nevertheless"
        bounded = replace(request, timeout=min(request.timeout, self._limit.left() + _MARGIN))
        return self._limit.run(str(request.call), lambda: send(bounded), note=note)


_MARGIN: Final = 1.0
"""Seconds by which a request that nobody waits for ends by itself later than the limit."""


def _raising(problem: BaseException) -> Callable[[], Any]:
    def raised() -> Any:
        raise problem

    return raised
