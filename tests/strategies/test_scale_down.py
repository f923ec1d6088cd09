"""The step in which revisions go down: the world before, the writes and the answer after."""

from datetime import timedelta
from typing import Any

import pytest

from tests.objects import entry, rollout, running, spa
from tests.strategies.held import Held
from tests.vectors.fake_cluster import NOON, FakeCluster, Pod, Request
from webhook.api import RolloutOrchestrator
from webhook.strategies import BaseScaleStep, ScaleDownStep, strategy_named
from webhook.strategies.rollout import NothingHeld, StepTools
from webhook.strategies.stage import up_and_down

UP, DOWN, OTHER = "hello-00002", "hello-00001", "hello-00000"
STAGE = [entry(UP, 40, "up", minScale=3, targetReplicas=2), entry(DOWN, 60, "down", minScale=3, targetReplicas=2)]
ALONE = [entry(UP, 100, "up", minScale=3)]
LATER, EARLIER = NOON + timedelta(hours=1), NOON - timedelta(hours=1)


def step(world: FakeCluster, ro: RolloutOrchestrator, force_delete: bool = True) -> ScaleDownStep:
    tools = StepTools(
        base=BaseScaleStep(world, world),
        pods=world,
        clock=world.clock,
        events=world,
        revisions=world,
        conditions=world,
        traffic=NothingHeld(),
        force_delete=force_delete,
    )
    return ScaleDownStep.build(tools, strategy_named(ro.spec.rollout_strategy))


def execute(world: FakeCluster, ro: RolloutOrchestrator) -> None:
    step(world, ro).execute(ro, *up_and_down(ro.spec.stage_target_revisions))


def verify(world: FakeCluster, ro: RolloutOrchestrator, force_delete: bool = True) -> tuple[bool, list[float]]:
    waits: list[float] = []
    up, down = up_and_down(ro.spec.stage_target_revisions)
    ready = step(world, ro, force_delete).verify(ro, up, down, lambda ro, seconds: waits.append(seconds))
    return ready, waits


def world_with(*spas: dict[str, Any], pods: list[Pod] | None = None, revisions: set[str] | None = None) -> FakeCluster:
    world = FakeCluster(pods=pods or [])
    world.revisions = None if revisions is None else {("default", "hello"): frozenset(revisions)}
    world.add(*spas)
    return world


def test_resourceutil_holds_what_goes_up_and_has_no_spa_at_0_until_there_is_room() -> None:
    world = world_with(running(DOWN, 3, 3))
    execute(world, rollout(STAGE, strategy="resourceutil"))
    assert world.writes() == [f"create stagepodautoscalers {UP}", f"update stagepodautoscalers {DOWN}"]
    assert world.bounds() == {UP: (0, 0), DOWN: (2, 2)}


def test_availability_holds_nothing() -> None:
    world = world_with(running(DOWN, 3, 3))
    execute(world, rollout(STAGE))
    assert world.bounds() == {DOWN: (2, 2)}


def test_what_goes_up_and_has_an_spa_keeps_it() -> None:
    world = world_with(running(UP, 1, 1, 4), running(DOWN, 3, 3))
    execute(world, rollout(STAGE))
    assert world.bounds() == {UP: (1, 4), DOWN: (2, 2)}


def test_a_missing_spa_of_what_goes_down_is_created() -> None:
    world = world_with(running(UP, 1))
    execute(world, rollout(STAGE))
    assert world.writes() == [f"create stagepodautoscalers {DOWN}"]
    assert world.bounds()[DOWN] == (2, 2)


def test_when_nothing_goes_down_the_initial_revisions_do() -> None:
    world = world_with(running(UP, 3), running(DOWN, 3, 3), running(OTHER, 3, 3))
    execute(world, rollout(ALONE, initial=[entry(UP, 10), entry(DOWN, 90, minScale=3)]))
    assert world.bounds() == {UP: (None, None), DOWN: (0, 1), OTHER: (3, None)}


def test_quiet_writes_send_no_update_that_changes_nothing() -> None:
    world = world_with(running(UP, 3), running(DOWN, 2, 2, 2))
    execute(world, rollout(STAGE))
    assert verify(world, rollout(STAGE)) == (True, [])
    assert world.requests == []


@pytest.mark.parametrize(
    "present",
    [
        pytest.param(running(DOWN, 3, 2, 2), id="too many replicas"),
        pytest.param(spa(DOWN, 2, 2, desired=2, actual=2, terminating=1), id="one terminates"),
        pytest.param(spa(DOWN, 2, 2, desired=2, actual=2, terminating=None), id="it is not known whether one does"),
        pytest.param(spa(DOWN, 2, 2, desired=2), id="no actual scale"),
    ],
)
def test_what_goes_down_is_waited_for(present: dict[str, Any]) -> None:
    assert verify(world_with(running(UP, 3), present), rollout(STAGE)) == (False, [])


def test_down_needs_no_report_of_the_autoscaler() -> None:
    down = spa(DOWN, 2, 2, desired=2, actual=2, reported=False)
    assert verify(world_with(running(UP, 3), down), rollout(STAGE)) == (True, [])


INITIAL = [entry(UP, 10), entry(DOWN, 60, maxScale=9), entry(OTHER, 30)]


@pytest.mark.parametrize(
    ("revisions", "ready"),
    [
        pytest.param({UP, DOWN, OTHER}, False, id="an initial revision still runs"),
        pytest.param({UP, OTHER}, True, id="the one that runs has no Revision any more"),
        pytest.param(None, False, id="Revisions cannot be seen"),
    ],
)
def test_verify_initial_waits_for_the_revisions_the_rollout_started_from(
    revisions: set[str] | None, ready: bool
) -> None:
    world = world_with(
        running(UP, 3), running(DOWN, 1, 0, 1), spa(OTHER, 0, 1, desired=0, actual=0), revisions=revisions
    )
    assert verify(world, rollout(ALONE, initial=INITIAL)) == (ready, [])


def test_verify_initial_is_done_when_they_are_gone() -> None:
    world = world_with(running(UP, 3), running(DOWN, 0, 0, 1), running(OTHER, 0, 0, 1), revisions={UP, DOWN, OTHER})
    assert verify(world, rollout(ALONE, initial=INITIAL)) == (True, [])


@pytest.mark.parametrize(
    ("strategy", "held", "pod", "deleted", "waits"),
    [
        pytest.param("availability", (0, 0), (EARLIER, 30), True, [], id="past its time"),
        pytest.param("availability", (0, 0), (LATER, 30), False, [30], id="availability never hurries"),
        pytest.param("resourceutil", (0, 0), (LATER, 30), True, [], id="resourceutil and held"),
        pytest.param("resourceutil", (0, 1), (LATER, 30), False, [30], id="resourceutil, not held"),
        pytest.param("resourceutil", (0, 1), (LATER, None), False, [], id="no grace period"),
        pytest.param(" ResourceUtil ", (0, 0), (LATER, 30), True, [], id="strategy-spelling"),
        pytest.param("resourceutil", (0, 1), (LATER, 7200), False, [3600], id="grace-left"),
        pytest.param("resourceutil", (None, None), (LATER, 30), False, [30], id="no-panic over absent bounds"),
    ],
)
def test_terminating_pods_of_what_is_waited_for(
    strategy: str, held: tuple[int | None, int | None], pod: tuple[Any, int | None], deleted: bool, waits: list[float]
) -> None:
    world = world_with(spa(UP, *held), running(DOWN, 3, 2, 2), pods=[Pod("default", "pod-0", DOWN, *pod)])
    assert verify(world, rollout(STAGE, strategy=strategy)) == (False, waits)
    assert world.writes() == (["delete pods pod-0"] if deleted else [])
    assert world.events == ([("Normal", "TerminatingPodRemoved")] if deleted else [])


def test_zero_max_a_revision_with_bounds_0_0_of_its_own_hurries_nobody() -> None:
    stage = [entry(UP, 40, "up", minScale=0, maxScale=0), STAGE[1]]
    world = world_with(spa(UP, 0, 0), running(DOWN, 3, 2, 2), pods=[Pod("default", "pod-0", DOWN, LATER, 30)])
    assert verify(world, rollout(stage, strategy="resourceutil")) == (False, [30])
    assert world.writes() == []


def test_forced_deletes_can_be_turned_off() -> None:
    pods = [Pod("default", "pod-0", DOWN, EARLIER, 30), Pod("default", "pod-1", DOWN, LATER, 30)]
    world = world_with(spa(UP, 0, 1), running(DOWN, 3, 2, 2), pods=pods)
    assert verify(world, rollout(STAGE), force_delete=False) == (False, [30])
    assert (world.writes(), world.events) == ([], [])


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(Pod("default", "pod-0", DOWN), id="it does not terminate"),
        pytest.param(Pod("default", "pod-0", UP, EARLIER), id="another revision"),
        pytest.param(Pod("elsewhere", "pod-0", DOWN, EARLIER), id="another namespace"),
    ],
)
def test_other_pods_are_left_alone(pod: Pod) -> None:
    world = world_with(spa(UP, 0, 0), running(DOWN, 3, 2, 2), pods=[pod])
    assert verify(world, rollout(STAGE, strategy="resourceutil")) == (False, [])
    assert world.writes() == []


def test_only_the_first_that_is_not_ready_is_seen_to() -> None:
    stage = [*STAGE, entry(OTHER, 10, "down", targetReplicas=0)]
    pods = [Pod("default", f"pod-of-{name}", name, EARLIER) for name in (DOWN, OTHER)]
    world = world_with(spa(UP), running(DOWN, 3, 2, 2), running(OTHER, 3, 0, 1), pods=pods)
    verify(world, rollout(stage))
    assert world.writes() == [f"delete pods pod-of-{DOWN}"]


@pytest.mark.parametrize("ready", [True, False])
def test_pods_are_asked_for_only_while_something_is_waited_for(ready: bool) -> None:
    world = world_with(spa(UP), running(DOWN, 2 if ready else 3, 2, 2))
    assert verify(world, rollout(STAGE)) == (ready, [])
    assert world.requests == ([] if ready else [Request("list", "pods", DOWN)])


def test_pods_that_cannot_be_listed_are_no_error() -> None:
    world = world_with(spa(UP, 0, 0), running(DOWN, 3, 2, 2), pods=[Pod("default", "pod-0", DOWN, EARLIER)])
    world.failing = frozenset({Request("list", "pods", "*")})
    assert verify(world, rollout(STAGE)) == (False, [])
    assert world.writes() == []


def test_without_the_spa_of_what_goes_up_nothing_is_hurried() -> None:
    world = world_with(running(DOWN, 3, 2, 2), pods=[Pod("default", "pod-0", DOWN, EARLIER)])
    assert verify(world, rollout(STAGE)) == (False, [])
    assert world.requests == []


def test_the_status_follows() -> None:
    world, ro = world_with(), rollout(STAGE)
    step(world, ro).modify_status(ro)
    assert ro.status.conditions.is_true("StageScaleDownReady")
    step(world, ro).modify_status(ro, ready=False)
    condition = ro.status.conditions.get("StageScaleDownReady")
    assert condition is not None
    assert (condition.status, condition.reason) == ("Unknown", "StageRevisionStart")
    assert ro.status.conditions.is_unknown("StageReady")


LAST = [entry(UP, 100, "up", minScale=3), entry(DOWN, direction="down", minScale=3, targetReplicas=0)]


def held_step(world: FakeCluster, traffic: Held, strategy: str) -> ScaleDownStep:
    tools = StepTools(
        base=BaseScaleStep(world, world),
        pods=world,
        clock=world.clock,
        events=world,
        revisions=world,
        conditions=world,
        traffic=traffic,
    )
    return ScaleDownStep.build(tools, strategy_named(strategy))


def test_the_stage_that_ends_a_hold_moves_the_traffic_first_and_waits_for_no_last_replica() -> None:
    for strategy in ("availability", "resourceutil"):
        ro, traffic = rollout(LAST), Held("Route hello to move")
        world = world_with(running(UP, 3, 3), running(DOWN, 1, 1))
        up, down = up_and_down(ro.spec.stage_target_revisions)
        step = held_step(world, traffic, strategy)
        step.execute(ro, up, down)
        assert traffic.moves == 1
        assert world.writes() == [], "it goes to nothing only when no request follows its share"
        assert step.verify(ro, up, down, lambda ro, seconds: None) is False
        traffic.waiting = None
        step.execute(ro, up, down)
        assert world.bounds()[DOWN] == (0, 1)
        assert step.verify(ro, up, down, lambda ro, seconds: None) is True


def test_a_share_of_a_held_route_keeps_the_pod_of_a_revision_that_no_maximum_lowers_to_nothing() -> None:
    """A maximum of 0 is no limit on a Revision, so that it is not waited for beyond a stable window."""
    leaving = entry(DOWN, direction="down", maxScale=1, targetReplicas=0)
    ro = rollout([entry(UP, 70, "up", targetReplicas=3), entry("hello-00000", 30, "stay"), leaving])
    world = world_with(running(UP, 3, 3), running(DOWN, 1, 1))
    up, down = up_and_down(ro.spec.stage_target_revisions)
    waits: list[float] = []
    step = held_step(world, Held("Route hello to move"), "resourceutil")
    assert step.verify(ro, up, down, lambda ro, seconds: waits.append(seconds)) is False
    assert 60.0 in waits
