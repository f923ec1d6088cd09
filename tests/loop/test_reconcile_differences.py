"""Where the pass differs from upstream on purpose: one test for each difference, named after it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.loop.test_stage_pass import ALL, BEGUN, DONE, DOWN, OLD, STAGE, TARGET, UP, conditions, reconcile, world_with
from tests.objects import entry, rollout, running, spa
from tests.vectors.fake_cluster import NOON, Pod, Request
from webhook.api import InvalidRollout, RolloutOrchestrator
from webhook.loop.spa_cleanup import SPA_DELETED, SPA_EARLY

LATER = NOON + timedelta(hours=1)
FAILED = {"Ready": "False", "StageReady": "False", "LastStageReady": "False"}
PREFIX = "The rollout of the current stage failed with message: "


def messages(ro: RolloutOrchestrator) -> set[str]:
    return {c.message for c in ro.status.conditions if c.status == "False"}


def test_zero_max_lets_a_rollout_without_a_limit_end() -> None:
    """With a limit of 0 neither revision could ever be ready: one above it, one not to be compared with it."""
    stage = [entry(DOWN, None, "down", targetReplicas=0, maxScale=0), entry(UP, 100, "up", minScale=2, maxScale=0)]
    world = world_with(running(DOWN, 0, 0, 1), running(UP, 2, 2, 0))
    ro = rollout(stage, target=TARGET, conditions=BEGUN)
    assert reconcile(world, ro).error is None
    assert {type_: conditions(ro)[type_][0] for type_ in DONE} == DONE
    assert world.writes() == []


@pytest.mark.parametrize(
    ("stage", "target", "field"),
    [
        pytest.param(
            [entry(DOWN, 60, "down"), entry(UP, None, "up", minScale=3, targetReplicas=1)],
            TARGET,
            "spec.stageTargetRevisions[1].percent",
            id="going up without percent",
        ),
        pytest.param(TARGET, [], "spec.targetRevisions", id="no targets"),
        pytest.param(TARGET, [entry(UP)], "spec.targetRevisions[0].percent", id="a target without percent"),
    ],
)
def test_no_panic_over_an_invalid_spec(stage: list[Any], target: list[Any], field: str) -> None:
    world = world_with(running(UP, 9, 9), running(DOWN, 0, 0), running(OLD, 3), revisions=frozenset({UP, DOWN}))
    ro = rollout(stage, target=target, initial=[entry("hello-00009", 100)], conditions=BEGUN, generation=2)
    result = reconcile(world, ro)
    assert isinstance(result.error, InvalidRollout)
    assert result.error.field == field
    assert not result.retry
    assert world.writes() == [f"delete stagepodautoscalers {OLD}"], "writes are dropped, the cleanup runs"
    assert conditions(ro) == {
        "StageReady": ("False", "StageRevisionRolloutFailed"),
        "LastStageReady": ("False", "RevisionRolloutFailed"),
        "Ready": ("False", "RevisionRolloutFailed"),
    }
    assert messages(ro) == {f"{PREFIX}{result.error}."}
    assert (ro.status.observed_generation, result.status_changed) == (2, True)
    assert world.events == [("Normal", SPA_DELETED), ("Warning", "InvalidRollout")]


def test_no_panic_over_an_spa_that_has_no_bounds_yet() -> None:
    world = world_with(spa(UP), running(DOWN, 5, None, 3), pods=[Pod("default", "pod-0", DOWN, LATER, 30)])
    ro = rollout(STAGE, target=TARGET, strategy="resourceutil", conditions=BEGUN)
    result = reconcile(world, ro)
    assert (result.error, result.requeue_after, world.writes()) == (None, (30,), [])
    assert ro.status.conditions.is_unknown("StageReady"), "a missing observation never fails a rollout"


def test_failed_stays_failed_while_the_generation_is_the_observed_one() -> None:
    world = world_with(running(UP, 9, 9), running(DOWN, 5, 5), running(OLD, 3), revisions=frozenset({UP, DOWN}))
    ro = rollout(STAGE, target=TARGET, conditions=FAILED)
    before = ro.to_dict()
    result = reconcile(world, ro)
    assert (result.error, result.retry, result.status_changed) == (None, None, False)
    assert ro.to_dict() == before
    assert world.writes() == [f"delete stagepodautoscalers {OLD}"]
    assert world.events == [("Normal", SPA_DELETED)]


def test_failed_stays_no_longer_on_a_new_generation() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 5, None, 3))
    ro = rollout(STAGE, target=TARGET, conditions=FAILED, generation=2)
    assert reconcile(world, ro).error is None
    statuses = {type_: status for type_, (status, _) in conditions(ro).items()}
    assert statuses == {**BEGUN, "StageScaleUpReady": "True", "StageScaleDownReady": "Unknown"}


def test_verify_initial_keeps_a_stage_open_while_the_start_still_runs() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3, 0, 1))
    ro = rollout(TARGET, target=TARGET, initial=[entry(DOWN, 100)], conditions=BEGUN)
    reconcile(world, ro)
    assert conditions(ro)["StageScaleDownReady"] == ("Unknown", "StageRevisionStart")
    world.add(running(DOWN, 0, 0, 1))
    reconcile(world, ro)
    assert conditions(ro)["Ready"] == ("True", "")


def test_verify_initial_does_not_wait_for_a_revision_that_is_gone() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3, 0, 1), revisions=ALL - {DOWN})
    ro = rollout(TARGET, target=TARGET, initial=[entry(DOWN, 100)], conditions=BEGUN)
    reconcile(world, ro)
    assert conditions(ro)["Ready"] == ("True", "")


def test_obsolete_running_is_reset_although_it_wants_nothing() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3, None, 3), spa(OLD, 3, 5, desired=0, actual=3))
    reconcile(world, rollout(STAGE, target=TARGET, conditions=BEGUN))
    assert world.bounds()[OLD] == (0, 1)


@pytest.mark.parametrize("spelling", ["resourceutil", "ResourceUtil", " resourceutil "])
def test_strategy_spelling_decides_neither_order_nor_haste(spelling: str) -> None:
    world = world_with(running(DOWN, 5, 5), pods=[Pod("default", "pod-0", DOWN, LATER, 30)])
    reconcile(world, rollout(STAGE, target=TARGET, strategy=spelling))
    assert world.writes() == [
        f"create stagepodautoscalers {UP}",
        f"update stagepodautoscalers {DOWN}",
        "delete pods pod-0",
    ]
    assert world.bounds()[UP] == (0, 0)


@pytest.mark.parametrize(("grace", "left", "wait"), [(300, 20, 20), (30, 300, 30), (0, 300, 1)])
def test_grace_left_is_waited_for_and_no_more(grace: int, left: int, wait: float) -> None:
    pods = [Pod("default", "pod-0", DOWN, NOON + timedelta(seconds=left), grace)]
    world = world_with(running(UP, 2, 2), running(DOWN, 5, None, 3), pods=pods)
    assert reconcile(world, rollout(STAGE, target=TARGET, conditions=BEGUN)).requeue_after == (wait,)


def test_quiet_writes_send_nothing_that_changes_nothing() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3, None, 3), running(OLD, 3, 0, 1))
    world.failing = frozenset({Request("update", "stagepodautoscalers", "*")})
    ro = rollout(STAGE, target=TARGET, conditions=BEGUN)
    assert reconcile(world, ro).error is None, "a refusal of what is not asked for does not occur"
    assert world.requests == []
    assert conditions(ro)["StageReady"] == ("True", "")


@pytest.mark.parametrize(("age", "wait"), [(0, 300.0), (100, 200.0), (299.5, 1.0), (300, None), (86400, None)])
def test_early_spa_is_spared_while_it_is_young_and_then_deleted(age: float, wait: float | None) -> None:
    young = running(OLD, 0, 0, 1)
    young["metadata"]["creationTimestamp"] = (NOON - timedelta(seconds=age)).isoformat()
    world = world_with(running(UP, 2, 2), young, revisions=frozenset({UP}))
    result = reconcile(world, rollout(TARGET, target=TARGET, conditions=DONE))
    assert world.writes() == ([] if wait else [f"delete stagepodautoscalers {OLD}"])
    assert result.requeue_after == ((wait,) if wait else ())
    assert world.events == [("Normal", SPA_EARLY if wait else SPA_DELETED)]
