"""The pinner: carries a pin out on the cluster, within a deadline, beside the event loop."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Final, Literal, NamedTuple

from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, NotFound
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import ROUTES
from webhook.cluster.supervisor import Supervisor
from webhook.knative.opt_in import Obstacle
from webhook.knative.pin import Pin

TRIES: Final = 3
THREADS: Final = 8
MOST_AT_ONCE: Final = 64
"""Pins under way or waiting for a thread; further ones are not begun."""

_LEAST_SECONDS: Final = 0.02

Result = Literal["pinned", "repeated", "not held", "conflict", "failed", "late"]
Decide = Callable[[Wire], Pin | Obstacle]
"""The decision for a Route on the wire."""


class Outcome(NamedTuple):
    """What became of a pin. ``detail`` is one line for a log; ``route`` is the Route as stored, if it was written.

    ``conflicts`` is how often another client wrote the Route first.
    """

    result: Result
    detail: str = ""
    route: Wire | None = None
    conflicts: int = 0

    @property
    def is_pinned(self) -> bool:
        """True if the Route is held for the Revision, by this pin or by an earlier one."""
        return self.result in ("pinned", "repeated")


class Pinner:
    """A bounded number of threads. ``client_within`` makes a client whose requests take at most so many seconds."""

    def __init__(
        self,
        client_within: Callable[[float], Client],
        monotonic: Callable[[], float],
        supervisor: Supervisor | None = None,
    ) -> None:
        self._client_within = client_within
        self._monotonic = monotonic
        self._supervisor = supervisor or Supervisor(monotonic)
        self._threads = ThreadPoolExecutor(THREADS, "pin")
        self._places = BoundedSemaphore(MOST_AT_ONCE)

    def begin(self, route: Wire, decide: Decide, deadline: float) -> "Future[Outcome] | None":
        """Carry a pin out by the deadline, in monotonic seconds; None if too many are under way.

        ``route`` is the Route as last seen.
        """
        if not self._places.acquire(blocking=False):
            return None
        begun = self._threads.submit(self._watched, route, decide, deadline)
        begun.add_done_callback(lambda _: self._places.release())
        return begun

    def stop(self) -> None:
        """Begin nothing more; what waits for a thread is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _watched(self, route: Wire, decide: Decide, deadline: float) -> Outcome:
        with self._supervisor.working("pin"):
            return self.pin(route, decide, deadline)

    def pin(self, route: Wire, decide: Decide, deadline: float) -> Outcome:
        """Write the pin on condition of the Route's version; on a conflict read the Route, and decide again."""
        try:
            for conflicts in range(TRIES):
                if conflicts:
                    route = self._client(deadline).get(ROUTES, *key_of(route))
                outcome = self._attempt(route, decide, deadline)
                if outcome is not None:
                    return outcome._replace(conflicts=conflicts)
        except _Late:
            return Outcome("late", "the deadline passed before the Route was written")
        except NotFound:
            return Outcome("not held", "the Route has been deleted")
        except ApiError as problem:
            return Outcome("failed", str(problem))
        return Outcome("conflict", f"the Route changed during each of {TRIES} attempts to pin it", conflicts=TRIES)

    def _attempt(self, route: Wire, decide: Decide, deadline: float) -> Outcome | None:
        """One conditional write; None on a conflict."""
        decision = decide(route)
        if isinstance(decision, Obstacle):
            return Outcome("not held", decision.message)
        patch = decision.patch(route)
        if patch is None:
            return Outcome("repeated")
        try:
            return Outcome("pinned", route=self._client(deadline).patch(ROUTES, *key_of(route), patch))
        except Conflict:
            return None

    def _client(self, deadline: float) -> Client:
        seconds = deadline - self._monotonic()
        if seconds < _LEAST_SECONDS:
            raise _Late
        return self._client_within(seconds)


class _Late(Exception):
    """There is no time left for another request."""
