"""Random rollouts with faults at random points, and what holds nevertheless."""

import os
import random
from typing import Any

import pytest

from tests.cluster.fake_api import status_error
from tests.loop.world import World, autoscale, condition, entry
from webhook.api import RolloutOrchestrator
from webhook.cluster.errors import ApiError, OutcomeUnknown, TooManyRequests, Unavailable, Unreachable
from webhook.cluster.resource import POD_AUTOSCALERS, PODS, STAGE_POD_AUTOSCALERS
from webhook.cluster.transport import Request
from webhook.planning import scale_bounds

FAULTS = 0.12
NAMES = ("hello-00001", "hello-00002")
TURNS = 400


class Killed(BaseException):
    """The process ends here."""


class FaultyWorld:
    """A seeded source of faults between the loop and the API server, which also watches what gets stored."""

    def __init__(self, seed: int, demand: int, **options: Any) -> None:
        self.random = random.Random(seed)
        self.demand = demand
        self.world = World(**options)
        self.injecting = True
        self.ran: set[str] = set()
        self.reported: dict[str, tuple[int | None, int | None]] = {}
        self.broken: list[str] = []
        self.world.api.fail = self.before
        self.world.api.after = self.afterwards

    def before(self, request: Request) -> ApiError | None:
        self.judge(request)
        if not self.injecting or self.random.random() > FAULTS / 2:
            return None
        if self.random.random() < 0.2:
            raise Killed
        kinds: list[ApiError] = [
            Unavailable(request.call, "500", status=500),
            TooManyRequests(request.call, "slow", status=429, retry_after=1.0),
            Unreachable(request.call, "refused"),
            status_error(request, 409, "Conflict", "modified"),
        ]
        return self.random.choice(kinds if request.method != "GET" else kinds[:3])

    def afterwards(self, request: Request) -> ApiError | None:
        if not self.injecting or self.random.random() > FAULTS / 2:
            return None
        if self.random.random() < 0.2:
            raise Killed
        return OutcomeUnknown(request.call, "timed out")

    def judge(self, request: Request) -> None:
        """Check a write before it reaches the server."""
        if request.method == "GET" or request.call.resource == "events":
            return
        body = dict(request.body or {})
        spec = body.get("spec") or {}
        low, high = spec.get("stageMinScale"), spec.get("stageMaxScale")
        if low is not None and high is not None and 0 < high < low:
            self.broken.append(f"{request.call}: minimum {low} above maximum {high}")
        if request.call.resource == "rolloutorchestrators" and spec.get("stageTargetRevisions"):
            total = sum(one.get("percent") or 0 for one in spec["stageTargetRevisions"])
            if total != 100:
                self.broken.append(f"{request.call}: {total} percent")
        if request.call.resource == "stagepodautoscalers" and request.call.name == "hello-00001" and high is not None:
            self.judge_old(high)

    def judge_old(self, high: int) -> None:
        """Availability: the old one is lowered for a stage only when the new one is up."""
        ro = RolloutOrchestrator.from_dict(self.world.ro())
        old = self.world.api.get(STAGE_POD_AUTOSCALERS, "default", "hello-00001")
        before = ((old or {}).get("spec") or {}).get("stageMaxScale")
        if before is None or high >= before:
            return
        for one in ro.spec.stage_target_revisions:
            if one.goes_up and (ro.spec.rollout_strategy or "availability") == "availability":
                new = self.world.api.get(STAGE_POD_AUTOSCALERS, "default", one.revision_name) or {}
                runs, wants = ((new.get("status") or {}).get(f"{what}Scale") for what in ("actual", "desired"))
                least = min(
                    one.min_scale or 0, one.min_scale or 0 if one.target_replicas is None else one.target_replicas
                )
                has_run = bool(runs) or (wants == 0 and one.revision_name in self.ran)
                if runs is None or runs < least or not has_run:
                    self.broken.append(
                        f"hello-00001 lowered to {high} while {one.revision_name} runs {runs} of {wants}"
                    )

    def start_slowly(self) -> None:
        """Half of the time a revision that is to have its first replicas has none of them yet."""
        before = {name: self.scales(name) for name in NAMES}
        autoscale(self.world, self.demand)
        for name, (_, actual) in before.items():
            desired, now = self.scales(name)
            if not actual and now and self.random.random() < 0.5:
                now = 0
            self.report(name, desired, now)

    def report(self, name: str, desired: int | None, actual: int | None) -> None:
        """Set what the PodAutoscaler of a revision reports, as Knative does."""
        if actual:
            self.ran.add(name)
        started = condition("ScaleTargetInitialized", "True" if name in self.ran else "Unknown")
        if self.reported.get(name) != (desired, actual):
            self.reported[name] = desired, actual
            self.world.scale(name, actual, desired, conditions=[started])

    def scales(self, name: str) -> tuple[int | None, int | None]:
        status = (self.world.api.get(POD_AUTOSCALERS, "default", name) or {}).get("status") or {}
        return status.get("desiredScale"), status.get("actualScale")

    def turn(self) -> None:
        """Run the loop until it has nothing to do; after a kill, start another process."""
        try:
            self.world.observe()
            while self.world.loop.workers.step():
                pass
        except Killed:
            self.world.start()
        if self.random.random() < 0.1:
            self.world.api.compact()

    def run_to_the_end(self) -> None:
        for turn in range(TURNS):
            self.injecting = turn < TURNS * 3 // 4
            self.turn()
            if not self.injecting and self.world.condition("Ready")[0] == "True":
                return
            if self.world.condition("LastStageReady")[0] == "True" and turn > 50:
                self.injecting = False
            self.start_slowly()
            self.world.clock.advance(self.random.choice([0.1, 1.0, 5.0]))
        raise AssertionError(f"not complete: {self.world.ro()}")


@pytest.mark.parametrize("seed", range(int(os.environ.get("FAULT_SEEDS", "12"))))
def test_a_rollout_with_faults_ends_and_never_breaks_its_rules(seed: int) -> None:
    choose = random.Random(1000 + seed)
    demand = choose.randint(1, 12)
    low, high = choose.choice([(1, 20), (demand, demand), (0, 15)])
    strategy = choose.choice(["availability", "availability", "resourceutil"])
    faulty = FaultyWorld(seed, demand)
    world = faulty.world
    world.settings(over_consumption_ratio=str(choose.choice([5, 10, 25, 50, 100])), stage_rollout_timeout_minutes="60")
    for name, actual in zip(NAMES, (demand, 0), strict=True):
        world.revision(name)
        faulty.report(name, actual, actual)
    world.rollout(
        rolloutStrategy=strategy,
        initialRevisions=[entry("hello-00001", 100, low, high)],
        targetRevisions=[entry("hello-00002", 100, low, high, latestRevision=True)],
    )
    faulty.run_to_the_end()
    world.clock.advance(120)
    world.settle()
    assert faulty.broken == []
    assert world.condition("LastStageReady")[0] == "True"
    assert world.bounds("hello-00001") == (0, 1)
    assert world.bounds("hello-00002") == (low, high)
    assert world.forget().settle().written() == [], "nothing is written twice without need"
    assert scale_bounds(low, high, *world.bounds("hello-00002")) == (low, high)
    assert not [key for key in world.api.objects if key[0] in (PODS.path(),)]
    assert world.api.get(POD_AUTOSCALERS, "default", "hello-00002") is not None
