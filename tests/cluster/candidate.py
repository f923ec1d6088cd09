"""Processes that compete for a Lease, and what happens to it and to them."""

from typing import Any

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.cluster.client import Client
from webhook.cluster.errors import Unreachable
from webhook.cluster.fence import Fence
from webhook.cluster.lease import LeaderElector, LeaseTimes
from webhook.cluster.resource import LEASES
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Request

TIMES = LeaseTimes(duration=15, renew_every=2, margin=5)


class Candidate:
    """One process: its own clock (all of which may run apart from the others'), fence and elector."""

    def __init__(self, api: FakeApi, name: str, skew: float = 0.0) -> None:
        self.clock = FakeClock(skew=skew)
        self.faults: list[str] = []
        self.changes: list[bool] = []
        self.losses = 0
        self.fence = Fence(self.clock.boottime, TIMES.margin)
        self.elector = LeaderElector(
            Client(api, field_manager="test"),
            "ns",
            "loop",
            name,
            self.fence,
            self.clock,
            times=TIMES,
            supervisor=Supervisor(self.clock.monotonic, self.faults.append),
            on_change=self.changes.append,
            on_loss=self.lost,
        )

    def lost(self) -> None:
        self.losses += 1


def spec_of(api: FakeApi) -> dict[str, Any]:
    lease = api.get(LEASES, "ns", "loop")
    assert lease is not None
    return dict(lease["spec"])


def pass_time(seconds: float, *candidates: Candidate) -> None:
    for candidate in candidates:
        candidate.clock.advance(seconds)


def renewed(candidate: Candidate, seconds: float, *others: Candidate) -> None:
    """What its thread does in that time, at the pace that it asks for."""
    while seconds > 0:
        pause = candidate.elector.renew()
        pass_time(pause, candidate, *others)
        seconds -= pause


def delete_lease(api: FakeApi) -> None:
    api.remove(LEASES, "ns", "loop")


def refuse(request: Request) -> Unreachable:
    return Unreachable(request.call, "refused")
