"""The order of the steps, and where a strategy stops."""

from dataclasses import dataclass, field

import pytest

from tests.objects import entry, rollout, running, spa
from tests.vectors.fake_cluster import NOON, FakeCluster, Pod
from webhook.api import RolloutOrchestrator
from webhook.strategies import Rollout, ScaleDownStep, ScaleUpStep, TrafficStep, new_rollout_strategy
from webhook.strategies.rollout import EnqueueAfter
from webhook.strategies.stage import Entries, up_and_down

UP, DOWN = "hello-00002", "hello-00001"
STAGE = [entry(UP, 40, "up", targetReplicas=2, minScale=2), entry(DOWN, 60, "down", targetReplicas=3)]


@dataclass
class Step:
    """A step that notes what is asked of it."""

    name: str
    ready: bool
    asked: list[str] = field(default_factory=list)

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        self.asked.append(f"{self.name} execute")

    def verify(
        self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries, enqueue: EnqueueAfter
    ) -> bool:
        self.asked.append(f"{self.name} verify")
        return self.ready

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        self.asked.append(f"{self.name} is {'' if ready else 'not '}ready")


@pytest.mark.parametrize(
    ("stage_ready", "first_ready", "second_ready", "asked", "done"),
    [
        ("Unknown", True, True, "1 execute, 1 verify, 1 is ready, 2 execute, 2 verify, 2 is ready", True),
        ("Unknown", True, False, "1 execute, 1 verify, 1 is ready, 2 execute, 2 verify, 2 is not ready", False),
        ("Unknown", False, True, "1 execute, 1 verify, 1 is not ready", False),
        ("True", False, False, "1 execute", True),
        ("False", False, False, "1 execute", True),
        (None, False, False, "1 execute, 1 verify, 1 is not ready", False),
    ],
)
def test_steps_of_a_stage(
    stage_ready: str | None, first_ready: bool, second_ready: bool, asked: str, done: bool
) -> None:
    noted: list[str] = []
    steps = (Step("1", first_ready, noted), Step("2", second_ready, noted))
    ro = rollout(STAGE, conditions={"StageReady": stage_ready} if stage_ready else {})
    assert Rollout(steps).reconcile(ro, {}, {}, lambda ro, seconds: None) is done
    assert ", ".join(noted) == asked


def test_both_strategies_have_every_step_in_their_order() -> None:
    world = FakeCluster()
    strategies = new_rollout_strategy(world, world, world)
    assert {name: [type(step) for step in strategy.rollout_steps] for name, strategy in strategies.items()} == {
        "availability": [ScaleUpStep, TrafficStep, ScaleDownStep],
        "resourceutil": [ScaleDownStep, ScaleUpStep, TrafficStep],
    }


@pytest.mark.parametrize(
    ("strategy", "bounds"),
    [
        pytest.param("availability", {UP: (2, None), DOWN: (5, 5)}, id="up first, down waits"),
        pytest.param("resourceutil", {UP: (0, 0), DOWN: (None, 3)}, id="down first, up is held"),
    ],
)
def test_the_first_look_at_a_stage(strategy: str, bounds: dict[str, tuple[int | None, int | None]]) -> None:
    world = FakeCluster()
    world.add(running(DOWN, 5, 5, 5))
    ro = rollout(STAGE, strategy=strategy)
    steps = new_rollout_strategy(world, world, world, clock=world.clock)[strategy]
    assert not steps.reconcile(ro, *up_and_down(ro.spec.stage_target_revisions), lambda ro, seconds: None)
    assert world.bounds() == bounds


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_stage_whose_replicas_are_there_is_done_at_one_look(strategy: str) -> None:
    world = FakeCluster()
    world.add(running(DOWN, 3, 3, 5), running(UP, 2, 0, 0))
    ro = rollout(STAGE, strategy=strategy)
    steps = new_rollout_strategy(world, world, world, clock=world.clock)[strategy]
    assert steps.reconcile(ro, *up_and_down(ro.spec.stage_target_revisions), lambda ro, seconds: None)
    assert world.bounds() == {UP: (2, None), DOWN: (None, 3)}
    assert ro.status.conditions.is_true("StageScaleUpReady")
    assert ro.status.conditions.is_true("StageScaleDownReady")


def test_pods_past_their_time_are_removed_also_when_nobody_listens() -> None:
    world = FakeCluster(pods=[Pod("default", "pod-0", DOWN, NOON)])
    world.add(spa(UP, 2), running(DOWN, 5, None, 3))
    ro = rollout(STAGE, strategy="resourceutil")
    steps = new_rollout_strategy(world, world, world)["resourceutil"]
    assert not steps.reconcile(ro, *up_and_down(ro.spec.stage_target_revisions), lambda ro, seconds: None)
    assert world.writes() == ["delete pods pod-0"]
