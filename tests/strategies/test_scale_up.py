"""The step in which revisions go up: the world before, the writes and the answer after."""

from datetime import timedelta
from typing import Any

import pytest

from tests.objects import ROLLING, STARTING, entry, revision, rollout, running, spa
from tests.strategies.held import Held
from tests.vectors.fake_cluster import FakeCluster
from webhook.api import MissingObservation, RolloutOrchestrator
from webhook.api.conditions import Condition
from webhook.strategies import BaseScaleStep, RevisionConditions, ScaleUpStep, is_stage_scale_up_ready, strategy_named
from webhook.strategies.stage import up_and_down

UP, DOWN = "hello-00002", "hello-00001"
STAGE = [entry(UP, 40, "up", minScale=3, maxScale=9, targetReplicas=2), entry(DOWN, 60, "down", minScale=3)]


def step(world: FakeCluster, ro: RolloutOrchestrator) -> ScaleUpStep:
    keeps_start = strategy_named(ro.spec.rollout_strategy).goes_up_first
    return ScaleUpStep(BaseScaleStep(world, world), clock=world.clock, conditions=world, keeps_start=keeps_start)


def execute(world: FakeCluster, ro: RolloutOrchestrator) -> None:
    step(world, ro).execute(ro, *up_and_down(ro.spec.stage_target_revisions))


def verify(world: FakeCluster, ro: RolloutOrchestrator) -> bool:
    return step(world, ro).verify(ro, *up_and_down(ro.spec.stage_target_revisions), lambda ro, seconds: None)


def test_a_missing_spa_is_created_with_the_bounds_of_the_stage() -> None:
    world = FakeCluster()
    execute(world, rollout(STAGE))
    assert world.writes() == [f"create stagepodautoscalers {UP}"]
    assert world.bounds() == {UP: (2, 9)}


def test_an_spa_with_other_bounds_is_updated_and_what_goes_down_is_left_alone() -> None:
    world = FakeCluster()
    world.add(spa(UP, 0, 0), spa(DOWN, 5, 5))
    execute(world, rollout(STAGE))
    assert world.writes() == [f"update stagepodautoscalers {UP}"]
    assert world.bounds() == {UP: (2, 9), DOWN: (5, 5)}


def test_quiet_writes_send_no_update_that_changes_nothing() -> None:
    world = FakeCluster()
    world.add(spa(UP, 2, 9))
    execute(world, rollout(STAGE))
    assert world.requests == []


def test_a_revision_that_runs_and_is_reported_is_ready() -> None:
    world = FakeCluster()
    world.add(running(UP, 2), running(DOWN, 3))
    assert verify(world, rollout(STAGE))
    assert world.requests == []


@pytest.mark.parametrize(
    "present",
    [
        pytest.param(running(UP, 1), id="too few replicas"),
        pytest.param(spa(UP, desired=2, actual=2, reported=False), id="the autoscaler has not reported"),
        pytest.param(spa(UP, actual=2), id="no desired scale"),
    ],
)
def test_until_then_what_goes_down_is_there_with_the_bounds_of_its_entry(present: dict[str, object]) -> None:
    world = FakeCluster()
    world.add(present)
    assert not verify(world, rollout(STAGE))
    assert world.writes() == [f"create stagepodautoscalers {DOWN}"]
    assert world.bounds()[DOWN] == (3, None)


def test_until_then_what_goes_down_keeps_the_bounds_it_has() -> None:
    world = FakeCluster()
    world.add(running(UP, 1), running(DOWN, 3, 1, 7))
    assert not verify(world, rollout(STAGE))
    assert world.requests == []


def test_every_revision_that_goes_up_has_to_be_ready() -> None:
    world = FakeCluster()
    world.add(running(UP, 2), running("hello-00003", 0))
    ro = rollout([*STAGE[:1], entry("hello-00003", 10, "up", minScale=1, targetReplicas=1)])
    assert not verify(world, ro)


FREE = [entry(UP, 40, "up", targetReplicas=2), entry(DOWN, 60, "down")]
NEVER_RAN = RevisionConditions(scale_target_initialized=Condition("ScaleTargetInitialized", "Unknown"))
ONCE_RAN = RevisionConditions(scale_target_initialized=Condition("ScaleTargetInitialized", "True"))


@pytest.mark.parametrize(
    ("desired", "seen", "ready"),
    [
        pytest.param(1, None, False, id="wants a replica"),
        pytest.param(1, ONCE_RAN, False, id="wants a replica, and once ran"),
        pytest.param(0, NEVER_RAN, False, id="never ran"),
        pytest.param(0, ONCE_RAN, True, id="scaled to zero"),
        pytest.param(0, None, True, id="at zero, and nothing is known"),
    ],
)
def test_ready_runs_takes_no_replicas_only_of_a_revision_that_can_run(
    desired: int, seen: RevisionConditions | None, ready: bool
) -> None:
    world = FakeCluster(seen={UP: seen} if seen is not None else {})
    world.add(spa(UP, desired=desired, actual=0), running(DOWN, 9))
    assert is_stage_scale_up_ready(world.spa(UP), revision(UP, 40, "up", targetReplicas=2)), "upstream's answer"
    assert verify(world, rollout(FREE)) is ready
    assert world.requests == []


OLD_AND_NEW = [entry(DOWN, 50, minScale=1, maxScale=5), entry(UP, 50, minScale=2)]
START = [entry(DOWN, 100, minScale=3, maxScale=9)]


@pytest.mark.parametrize(
    ("present", "bounds"),
    [
        pytest.param([running(DOWN, 9, 3, 9)], (3, 9), id="the new one is not there"),
        pytest.param([running(DOWN, 9, 3, 9), spa(UP, desired=2, actual=0)], (3, 9), id="runs nothing"),
        pytest.param([running(DOWN, 9, 3, 9), running(UP, 1)], (3, 9), id="runs too little"),
        pytest.param([running(DOWN, 9, 3, 9), running(UP, 2)], (1, 5), id="has come"),
        pytest.param([running(DOWN, 9, 0, 1)], (1, 5), id="what is raised is raised at once"),
        pytest.param([], (3, 9), id="without an SPA it keeps what it started with"),
    ],
)
def test_one_of_the_start_that_stays_a_target_is_not_lowered_before_the_others_have_come(
    present: list[dict[str, Any]], bounds: tuple[int, int]
) -> None:
    world = FakeCluster()
    world.add(*present)
    execute(world, rollout(OLD_AND_NEW, initial=START))
    assert world.bounds()[DOWN] == bounds


def test_what_it_started_with_counts_wherever_an_entry_of_the_start_states_it() -> None:
    world = FakeCluster()
    execute(world, rollout(OLD_AND_NEW, initial=[entry(DOWN, 100, minScale=3), entry(DOWN, 0, tag="old", maxScale=9)]))
    assert world.bounds()[DOWN] == (3, 9)


@pytest.mark.parametrize(
    "ro",
    [
        pytest.param(rollout(OLD_AND_NEW, initial=START, strategy=" ResourceUtil"), id="down comes first"),
        pytest.param(rollout(OLD_AND_NEW, initial=START, conditions={"Ready": "True"}), id="all was ready"),
        pytest.param(rollout(OLD_AND_NEW), id="the start does not name it"),
        pytest.param(rollout([*OLD_AND_NEW[:1], entry(UP, 0, minScale=2)], initial=START), id="no traffic to come"),
        pytest.param(rollout(OLD_AND_NEW[:1], initial=START), id="it is alone"),
    ],
)
def test_else_it_has_the_bounds_of_its_entry_at_once(ro: RolloutOrchestrator) -> None:
    world = FakeCluster()
    world.add(running(DOWN, 9, 3, 9))
    execute(world, ro)
    assert world.bounds()[DOWN] == (1, 5)


def test_an_spa_that_cannot_be_found_is_to_be_looked_for_again() -> None:
    with pytest.raises(MissingObservation, match=f"default/{UP}"):
        verify(FakeCluster(), rollout(STAGE))


def test_the_status_says_ready_of_this_step_alone() -> None:
    ro, world = rollout(STAGE), FakeCluster()
    step(world, ro).modify_status(ro)
    assert {c.type: c.status for c in ro.status.conditions} == {"StageScaleUpReady": "True", "Ready": "Unknown"}


def test_the_status_says_what_is_waited_for() -> None:
    ro, world = rollout(STAGE), FakeCluster()
    step(world, ro).modify_status(ro, ready=False)
    assert {c.type: (c.status, c.reason, c.message) for c in ro.status.conditions} == {
        "StageScaleUpReady": ("Unknown", "StageRevisionStart", STARTING),
        "StageReady": ("Unknown", "StageRevisionStart", STARTING),
        "LastStageReady": ("Unknown", "RevisionRollingInProgress", ROLLING),
        "Ready": ("Unknown", "RevisionRollingInProgress", ROLLING),
    }


RAISED = [entry(UP, 50, "up", minScale=4, targetReplicas=2), entry(DOWN, 50, "down", minScale=4)]


def held_step(world: FakeCluster) -> ScaleUpStep:
    return ScaleUpStep(BaseScaleStep(world, world), clock=world.clock, conditions=world, traffic=Held(None))


def test_replicas_that_only_a_former_minimum_keeps_are_let_go_before_a_held_rollout_raises_it() -> None:
    """The autoscaler has decided to take them away; they would count as those of the new minimum."""
    world, ro, waits = FakeCluster(), rollout(RAISED), list[float]()
    world.add(running(UP, 2, 1), running(DOWN, 3))
    up, down = up_and_down(ro.spec.stage_target_revisions)
    step = held_step(world)
    step.execute(ro, up, down)
    assert step.verify(ro, up, down, lambda _, seconds: waits.append(seconds)) is False
    assert (world.requests, waits) == ([], [15.0])

    step.modify_status(ro, ready=False)
    world.now += timedelta(seconds=10)
    assert step.verify(ro, up, down, lambda _, seconds: waits.append(seconds)) is False
    assert waits[-1] == 5.0

    world.now += timedelta(seconds=5)
    step.execute(ro, up, down)
    assert step.verify(ro, up, down, lambda _, seconds: None), "what it still runs is there because of its traffic"
    assert world.bounds()[UP] == (2, None)


@pytest.mark.parametrize(
    ("present", "is_held"),
    [
        pytest.param(running(UP, 1, 1), True, id="runs its minimum"),
        pytest.param(running(UP, 5, 1), True, id="runs more than its own minimum, so traffic drives it"),
        pytest.param(running(UP, 2), True, id="has no bounds yet"),
        pytest.param(running(UP, 2, 1), False, id="the Route is not held"),
    ],
)
def test_what_runs_no_surplus_of_a_former_minimum_is_raised_at_once(present: dict[str, object], is_held: bool) -> None:
    world, ro = FakeCluster(), rollout(RAISED)
    world.add(present)
    (held_step(world) if is_held else step(world, ro)).execute(ro, *up_and_down(ro.spec.stage_target_revisions))
    assert world.bounds()[UP] == (2, None)
