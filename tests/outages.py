"""Outages of the API server, and the threads of a process in passed-in time: one after the other, without sleeping."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.cluster.fake_api import FakeApi, status_error
from tests.cluster.fake_clock import FakeClock
from webhook.cluster.errors import ApiError, OutcomeUnknown, Unreachable
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

MINUTES: Final = 10
_DNS_SECONDS: Final = 40.0
"""More than the resolver of the C library takes with its three name servers by default."""

Outage = Callable[[Request, FakeClock], "ApiError | None"]


def refuses(request: Request, clock: FakeClock) -> ApiError:
    return Unreachable(request.call, "connection refused")


def times_out(request: Request, clock: FakeClock) -> ApiError:
    clock.advance(request.timeout)
    return OutcomeUnknown(request.call, f"no response within {request.timeout:g} s")


def hangs(request: Request, clock: FakeClock) -> ApiError | None:
    """Lists are answered; a watch opens and says nothing, and nothing else is answered."""
    return None if request.call.verb in ("list", "watch") else times_out(request, clock)


def has_no_name(request: Request, clock: FakeClock) -> ApiError:
    clock.advance(_DNS_SECONDS)
    return Unreachable(request.call, "Temporary failure in name resolution")


def answers(code: int) -> Outage:
    def answered(request: Request, clock: FakeClock) -> ApiError:
        clock.advance(0.01)
        return status_error(request, code, "", "an outage")

    return answered


OUTAGES: Final[dict[str, Outage]] = {
    "refuses": refuses,
    "times out": times_out,
    "hangs": hangs,
    "DNS fails": has_no_name,
    **{str(code): answers(code) for code in (401, 403, 410, 500)},
}
"""What the API server does for ten minutes."""


@dataclass
class Silent:
    """A watch on which nothing comes until its time-out."""

    request: Request
    clock: FakeClock

    def __iter__(self) -> Iterator[Any]:
        self.clock.advance(self.request.timeout)
        raise OutcomeUnknown(self.request.call, f"silent for {self.request.timeout:g} s")

    def close(self) -> None: ...


@dataclass
class OutApi(FakeApi):
    """An API server in an outage."""

    clock: FakeClock = field(default_factory=FakeClock)
    outage: str = "refuses"

    def __post_init__(self) -> None:
        self.fail = lambda request: OUTAGES[self.outage](request, self.clock)

    def stream(self, request: Request) -> Any:
        opened = super().stream(request)
        return Silent(request, self.clock) if self.outage == "hangs" else opened


class Event:
    """A ``threading.Event`` whose waits move the clock, until it is over."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._is_set = False

    def wait(self, seconds: float) -> bool:
        self._clock.advance(seconds)
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def clear(self) -> None: ...

    def is_set(self) -> bool:
        return self._is_set


@dataclass(frozen=True)
class Kept:
    """A loop that a process has started."""

    loop: str
    name: str
    turn: Callable[[], float | None]
    after: float


class Watched(Supervisor):
    """Keeps what is started, and runs one loop of it when asked; the health at every step is on record."""

    def __init__(self, clock: FakeClock, count: Callable[[str], None] = lambda loop: None) -> None:
        super().__init__(clock.monotonic, count, random_number=lambda: 0.5)
        self.clock = clock
        self.kept: dict[str, Kept] = {}
        self.unhealthy: list[str] = []

    def start(self, loop: str, turn: Any, wait: Any, *, name: str = "", after: float = 0.0) -> Any:
        self.kept[name or loop] = Kept(loop, name or loop, turn, after)
        return _Joined()

    def beat(self) -> None:
        # Just before it counts as a turn: the longest time without one.
        self.look()
        super().beat()

    def look(self) -> None:
        self.unhealthy += self.problems()

    def run(self, name: str, turn: Callable[[], float | None] | None = None) -> int:
        """Run a loop for ten minutes, or the given turn in its place; the number of turns."""
        kept, turns, end = self.kept[name], 0, self.clock.elapsed + 60 * MINUTES

        def taken() -> float | None:
            nonlocal turns
            turns += 1
            delay = (turn or kept.turn)()
            return delay if self.clock.elapsed <= end else None

        def wait(seconds: float) -> bool:
            self.clock.advance(seconds)
            self.look()
            return self.clock.elapsed > end

        super().start(kept.loop, taken, wait, name=name, after=min(kept.after, 60.0)).join(60)
        self.look()
        return turns


class _Joined:
    """A thread that is not run."""

    def join(self, seconds: float | None = None) -> None: ...
