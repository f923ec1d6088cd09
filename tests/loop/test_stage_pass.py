"""The pass: the world and the RO before, the writes, events and status after."""

from datetime import timedelta
from typing import Any

import pytest

from tests.objects import ROLLING, STARTING, entry, rollout, running, spa
from tests.vectors.fake_cluster import NOON, FakeCluster, Pod, Request
from webhook.api import RolloutOrchestrator
from webhook.loop.result import NothingGoesUp, Result
from webhook.loop.stage_pass import StagePass
from webhook.strategies import strategy_named

UP, DOWN, OLD = "hello-00002", "hello-00001", "hello-00000"
STAGE = [entry(DOWN, 60, "down", targetReplicas=3), entry(UP, 40, "up", targetReplicas=2, minScale=2)]
TARGET = [entry(UP, 100, minScale=2, latestRevision=True)]
ALL = frozenset({UP, DOWN, OLD})
BEGUN = {"Ready": "Unknown", "StageReady": "Unknown", "LastStageReady": "Unknown"}
DONE = {"Ready": "True", "StageReady": "True", "LastStageReady": "True"}


def world_with(*spas: dict[str, Any], revisions: frozenset[str] | None = ALL, **members: Any) -> FakeCluster:
    world = FakeCluster(revisions=None if revisions is None else {("default", "hello"): revisions}, **members)
    world.add(*spas)
    return world


def stage_pass(world: FakeCluster, **settings: Any) -> StagePass:
    everything: dict[str, Any] = {
        **dict.fromkeys(("spas", "lister", "pods", "revisions", "deleter", "events"), world),
        "clock": world.clock,
        **settings,
    }
    return StagePass(**everything)


def reconcile(world: FakeCluster, ro: RolloutOrchestrator, **settings: Any) -> Result:
    return stage_pass(world, **settings).reconcile(ro, strategy_named(ro.spec.rollout_strategy))


def conditions(ro: RolloutOrchestrator) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in ro.status.conditions}


def recorded(ro: RolloutOrchestrator) -> list[Any]:
    return [revision.to_dict() for revision in ro.status.stage_revision_status]


def test_the_first_pass_of_a_stage_sets_bounds_and_waits() -> None:
    world, ro = world_with(running(DOWN, 5, 5)), rollout(STAGE, target=TARGET, initial=[entry(DOWN, 100)])
    result = reconcile(world, ro)
    assert result == Result(status_changed=True)
    assert world.writes() == [f"create stagepodautoscalers {UP}"]
    assert conditions(ro) == {
        "StageScaleUpReady": ("Unknown", "StageRevisionStart"),
        "StageReady": ("Unknown", "StageRevisionStart"),
        "LastStageReady": ("Unknown", "RevisionRollingInProgress"),
        "Ready": ("Unknown", "RevisionRollingInProgress"),
    }
    assert {c.message for c in ro.status.conditions} == {STARTING, ROLLING}


def test_a_stage_that_is_reached_is_recorded() -> None:
    world = world_with(running(DOWN, 3, 3, 3), running(UP, 2, 2))
    ro = rollout(STAGE, target=TARGET, conditions=BEGUN)
    assert reconcile(world, ro).error is None
    assert world.bounds() == {DOWN: (None, 3), UP: (2, None)}
    assert recorded(ro) == STAGE
    assert conditions(ro)["StageReady"] == ("True", "")
    assert conditions(ro)["LastStageReady"] == ("Unknown", "RevisionRollingInProgress")


def test_the_last_stage_completes_the_rollout() -> None:
    stage = [entry(DOWN, None, "down", targetReplicas=0), entry(UP, 100, "up", minScale=2)]
    world, ro = (
        world_with(running(DOWN, 0, 0, 1), running(UP, 2, 2)),
        rollout(stage, target=TARGET, conditions=BEGUN),
    )
    assert reconcile(world, ro) == Result(status_changed=True)
    assert recorded(ro) == [entry(UP, 100, "up", minScale=2)]
    assert {type_: status for type_, (status, _) in conditions(ro).items()} == {
        **DONE,
        "StageScaleUpReady": "True",
        "StageScaleDownReady": "True",
    }
    assert world.writes() == []


def test_a_rollout_that_is_complete_asks_for_nothing() -> None:
    world = world_with(running(UP, 2, 2))
    scales = {"StageScaleUpReady": "True", "StageScaleDownReady": "True"}
    ro = rollout(TARGET, target=TARGET, conditions=DONE, recorded=TARGET)
    first = reconcile(world, ro)
    assert {type_: status for type_, (status, _) in conditions(ro).items()} == {**DONE, **scales}
    assert first.status_changed
    assert reconcile(world, ro) == Result()
    assert (world.requests, world.events) == ([], [])


def test_a_new_generation_of_a_complete_rollout_begins_a_stage() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3, 3))
    ro = rollout(STAGE, target=TARGET, conditions=DONE, recorded=[entry(DOWN, 100)], generation=2)
    assert reconcile(world, ro) == Result(status_changed=True)
    assert ro.status.observed_generation == 2
    assert conditions(ro) == {
        "StageScaleUpReady": ("Unknown", "StageRevisionStart"),
        "StageScaleDownReady": ("Unknown", "StageRevisionStart"),
        "StageReady": ("Unknown", "StageRevisionStart"),
        "LastStageReady": ("Unknown", "RevisionRollingInProgress"),
        "Ready": ("Unknown", "RevisionRollingInProgress"),
    }


def test_a_condition_that_says_what_it_said_keeps_its_time() -> None:
    """A new generation makes Ready Unknown; the pass finds all as it should be, and Ready is True since long ago."""
    world = world_with(running(UP, 2, 2))
    scales = {"StageScaleUpReady": "True", "StageScaleDownReady": "True"}
    ro = rollout(TARGET, target=TARGET, conditions={**DONE, **scales}, recorded=TARGET, generation=2)
    assert reconcile(world, ro) == Result(status_changed=True)
    times = {c.type: c.last_transition_time for c in ro.status.conditions}
    assert {times["Ready"], times["StageReady"], times["LastStageReady"]} == {NOON - timedelta(hours=2)}


def test_a_rollout_that_is_ready_begins_no_stage_of_itself() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 3))
    ro = rollout(STAGE, target=TARGET, conditions=DONE, recorded=[entry(DOWN, 100)])
    reconcile(world, ro)
    assert {status for status, _ in conditions(ro).values()} == {"True"}
    assert recorded(ro) == [entry(DOWN, 100)]


def test_a_stage_no_longer_than_the_targets_is_recorded_as_it_is() -> None:
    target = [entry(UP, 100), entry(DOWN, 0)]
    world = world_with(running(UP, 2), running(DOWN, 0, 0, 1))
    reached = [entry(UP, 100, "up"), entry(DOWN, None, "down", targetReplicas=0)]
    ro = rollout(reached, target=target, conditions=BEGUN)
    reconcile(world, ro)
    assert recorded(ro) == reached


def test_an_ro_that_is_being_deleted_is_not_touched() -> None:
    world = world_with(running(OLD, 3), revisions=frozenset())
    ro = rollout(STAGE, target=TARGET, deletionTimestamp="2024-05-01T11:00:00Z", generation=2)
    before = ro.to_dict()
    assert reconcile(world, ro) == Result()
    assert (ro.to_dict(), world.requests) == (before, [])


def test_without_a_stage_only_the_cleanup_runs() -> None:
    world, ro = world_with(running(UP, 2), running(OLD, 1), revisions=frozenset({UP})), rollout([], target=TARGET)
    assert reconcile(world, ro).error is None
    assert world.writes() == [f"delete stagepodautoscalers {OLD}"]


def test_a_stage_in_which_nothing_goes_up_is_an_error_that_only_another_spec_mends() -> None:
    world, ro = world_with(), rollout([entry(DOWN, 100, "down")], target=TARGET, conditions=BEGUN)
    result = reconcile(world, ro)
    assert isinstance(result.error, NothingGoesUp)
    assert "default/hello: no entry goes up" in str(result.error)
    assert (result.retry, result.status_changed, world.writes()) == (None, False, [])
    assert world.events == [("Warning", "InternalError")]


@pytest.mark.parametrize(
    ("spa_before", "writes"),
    [
        pytest.param(running(OLD, 3, 3), [f"update stagepodautoscalers {OLD}"], id="it wants replicas"),
        pytest.param(spa(OLD, 3), [f"update stagepodautoscalers {OLD}"], id="nothing is known of it"),
        pytest.param(running(OLD, 0, 3), [], id="it neither wants nor runs any"),
        pytest.param(running(OLD, 3, 0, 1), [], id="quiet-writes: it has these bounds"),
        pytest.param({**running(OLD, 3), "metadata": spa(OLD, service="other")["metadata"]}, [], id="not ours"),
        pytest.param(
            spa(OLD, 3, desired=0, actual=3), [f"update stagepodautoscalers {OLD}"], id="obsolete-running: it runs some"
        ),
    ],
)
def test_an_spa_that_the_rollout_does_not_name_goes_to_nothing(spa_before: dict[str, Any], writes: list[str]) -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 5), spa_before)
    reconcile(world, rollout(STAGE, target=TARGET, conditions={**BEGUN, "StageReady": "True"}))
    assert world.writes() == writes
    if writes:
        assert world.bounds()[OLD] == (0, 1)


def test_an_spa_of_an_initial_revision_is_not_obsolete() -> None:
    world = world_with(running(UP, 2, 2), running(DOWN, 5), running(OLD, 3, 3))
    ro = rollout(STAGE, target=TARGET, initial=[entry(OLD, 100)], conditions={**BEGUN, "StageReady": "True"})
    reconcile(world, ro)
    assert world.writes() == []


def test_writes_come_in_the_order_spas_pods_deletions() -> None:
    world = world_with(
        running(DOWN, 5, 5),
        running(OLD, 2, 2),
        pods=[Pod("default", "pod-0", DOWN, NOON)],
        revisions=frozenset({UP, DOWN}),
    )
    reconcile(world, rollout(STAGE, target=TARGET, strategy="resourceutil"))
    assert world.writes() == [
        f"update stagepodautoscalers {OLD}",
        f"create stagepodautoscalers {UP}",
        f"update stagepodautoscalers {DOWN}",
        "delete pods pod-0",
        f"delete stagepodautoscalers {OLD}",
    ]
    assert world.events == [("Normal", "TerminatingPodRemoved"), ("Normal", "StagePodAutoscalerDeleted")]


def test_a_held_revision_is_released_in_the_pass_that_finds_the_room() -> None:
    """Created at 0/0 and updated in one pass: the update is conditional on the version that the creation gave."""
    world, ro = world_with(running(DOWN, 3, 3, 3)), rollout(STAGE, target=TARGET, strategy="resourceutil")
    assert reconcile(world, ro).error is None
    assert world.writes() == [
        f"create stagepodautoscalers {UP}",
        f"update stagepodautoscalers {DOWN}",
        f"update stagepodautoscalers {UP}",
    ]
    assert world.bounds() == {UP: (2, None), DOWN: (None, 3)}


def test_delays_come_back_sorted() -> None:
    later = NOON + timedelta(hours=1)
    pods = [Pod("default", f"pod-{99 - grace}", DOWN, later, grace) for grace in (30, 10, 45)]
    world = world_with(running(DOWN, 5, None, 3), running(UP, 2, 2), pods=pods)
    assert reconcile(world, rollout(STAGE, target=TARGET)).requeue_after == (10, 30, 45)


def test_forced_deletes_can_be_turned_off() -> None:
    world = world_with(running(DOWN, 5, None, 3), running(UP, 2, 2), pods=[Pod("default", "pod-0", DOWN, NOON)])
    assert reconcile(world, rollout(STAGE, target=TARGET), force_delete=False).error is None
    assert (world.writes(), world.events) == ([], [])


@pytest.mark.parametrize(
    ("failing", "writes", "up_ready"),
    [
        pytest.param(("update", UP), [f"update stagepodautoscalers {UP}"], "Unknown", id="the first write"),
        pytest.param(
            ("update", DOWN),
            [f"update stagepodautoscalers {UP}", f"update stagepodautoscalers {DOWN}"],
            "True",
            id="a write of the second step: the first was ready",
        ),
    ],
)
def test_a_write_that_fails_ends_the_pass_with_the_status_as_it_was_then(
    failing: tuple[str, str], writes: list[str], up_ready: str
) -> None:
    verb, name = failing
    world = world_with(
        running(DOWN, 5, 5), running(UP, 2), failing=frozenset({Request(verb, "stagepodautoscalers", name)})
    )
    ro = rollout(STAGE, target=TARGET, conditions=BEGUN)
    result = reconcile(world, ro)
    assert result.error is not None
    assert result.retry
    assert world.writes() == writes
    assert ro.status.conditions.status("StageScaleUpReady") == up_ready
    assert ro.status.conditions.is_unknown("StageReady")
    assert world.events == [("Warning", "InternalError")]


def test_a_rollout_is_not_done_before_what_it_does_not_name_is_let_go() -> None:
    """It leads to where it began: what it had raised meanwhile is let go last."""
    world = world_with(
        running(UP, 2), running(OLD, 3), failing=frozenset({Request("update", "stagepodautoscalers", OLD)})
    )
    ro = rollout(TARGET, target=TARGET, initial=TARGET, conditions=BEGUN)
    assert reconcile(world, ro).error is not None
    assert world.writes() == [f"update stagepodautoscalers {UP}", f"update stagepodautoscalers {OLD}"]
    assert conditions(ro)["StageScaleUpReady"] == ("True", "")
    assert ro.status.conditions.is_unknown("StageReady")
    assert ro.status.conditions.is_unknown("Ready")
    world.failing = frozenset()
    assert reconcile(world, ro).error is None
    assert {conditions(ro)[type_] for type_ in ("StageReady", "LastStageReady", "Ready")} == {("True", "")}


def test_after_a_failed_write_the_cleanup_still_runs() -> None:
    world = world_with(
        running(DOWN, 5, 5),
        running(OLD, 0),
        revisions=frozenset({UP, DOWN}),
        failing=frozenset({Request("create", "stagepodautoscalers", "*")}),
    )
    assert reconcile(world, rollout(STAGE, target=TARGET)).error is not None
    assert world.writes() == [f"create stagepodautoscalers {UP}", f"delete stagepodautoscalers {OLD}"]


def test_a_deletion_that_fails_is_no_error_but_is_tried_again_later() -> None:
    world = world_with(
        running(UP, 2),
        running(DOWN, 1),
        running(OLD, 0),
        revisions=frozenset({UP}),
        failing=frozenset({Request("delete", "stagepodautoscalers", OLD)}),
    )
    result = reconcile(world, rollout([], target=TARGET))
    assert result.error is None
    assert result.retry is result.unfinished is not None
    assert str(result.unfinished) == f"delete stagepodautoscalers {OLD}: refused"
    assert set(world.bounds()) == {UP, OLD}


def test_of_two_deletions_that_fail_neither_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    world = world_with(
        running(DOWN, 1),
        running(OLD, 0),
        revisions=frozenset({UP}),
        failing=frozenset({Request("delete", "stagepodautoscalers", "*")}),
    )
    result = reconcile(world, rollout([], target=TARGET))
    assert str(result.unfinished) == f"delete stagepodautoscalers {OLD}: refused"
    assert f"delete stagepodautoscalers {DOWN}: refused" in caplog.text


def test_pods_that_cannot_be_listed_are_no_error_but_are_looked_at_again_later() -> None:
    world = world_with(running(DOWN, 5, None, 3), running(UP, 2, 2), failing=frozenset({Request("list", "pods", "*")}))
    result = reconcile(world, rollout(STAGE, target=TARGET))
    assert result.error is None
    assert result.retry is result.unfinished is not None
    assert str(result.unfinished) == "cannot list the terminating pods of default/hello"


@pytest.mark.parametrize("where", ["create", "update", "delete", "delete_now", "list_terminating", "names"])
def test_a_fault_of_the_program_is_raised_and_never_told_as_a_result(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise KeyError("metadata")

    gone = Pod("default", "p", DOWN, NOON - timedelta(minutes=1))
    world = world_with(running(DOWN, 5, None, 3), running(OLD, 0), revisions=frozenset({UP, DOWN}), pods=[gone])
    strategy = "availability" if where == "update" else "resourceutil"
    if where in ("update", "delete_now", "list_terminating"):
        world.add(running(UP, 2))
    monkeypatch.setattr(world, where, fault)
    with pytest.raises(KeyError, match="metadata"):
        reconcile(world, rollout(STAGE, target=TARGET, strategy=strategy))
    assert ("Warning", "InternalError") not in world.events


def test_nothing_is_deleted_because_revisions_could_not_be_seen() -> None:
    world = world_with(running(UP, 2), running(OLD, 0), revisions=None)
    reconcile(world, rollout(TARGET, target=TARGET, conditions=DONE))
    assert set(world.bounds()) == {UP, OLD}


def test_an_spa_that_changed_since_it_was_read_is_not_overwritten() -> None:
    world = world_with(running(UP, 2, 9), running(DOWN, 5, 5))
    stale = FakeCluster(spas=dict(world.spas))
    world.add(running(UP, 2, 4))
    result = reconcile(world, rollout(STAGE, target=TARGET), lister=stale)
    assert str(result.error) == f"update stagepodautoscalers {UP}: has changed since it was read"
    assert result.retry
    assert world.bounds()[UP] == (4, None)


def test_an_spa_without_a_revision_is_not_created_only_to_be_deleted() -> None:
    world = world_with(running(DOWN, 3), revisions=frozenset({DOWN}))
    ro = rollout(STAGE, target=TARGET)
    assert reconcile(world, ro).error is None
    assert world.writes() == []
    assert ro.status.conditions.is_unknown("StageReady")


def test_the_pass_alone_observes_no_generation_and_tells_nobody() -> None:
    world, ro = world_with(), rollout([entry(DOWN, 100, "down")], generation=2)
    result = stage_pass(world).reconcile_kind(ro, strategy_named(ro.spec.rollout_strategy))
    assert isinstance(result.error, NothingGoesUp)
    assert (ro.status.observed_generation, world.events, len(ro.status.conditions)) == (1, [], 0)
