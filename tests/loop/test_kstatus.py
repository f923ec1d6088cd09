"""What kstatus makes of a rollout at every point of its life, and that nothing else reads the two conditions."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tests.kstatus import CURRENT, FAILED, IN_PROGRESS, kstatus
from tests.loop.test_ownership_conflict import SHARED, pulled_apart
from tests.loop.world import World, autoscale, entry, two_revisions
from tests.vectors.rows import recorded_rows
from tests.vectors.upstream_conditions import START, Conditions
from webhook.api import RolloutOrchestrator
from webhook.api.wire import Wire
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.loop.stage_status import mark_progress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROGRESS = ("Reconciling", "Stalled")


def conditions(ro: Wire) -> dict[str, Wire]:
    return {one["type"]: one for one in ro["status"].get("conditions") or []}


def fail(world: World) -> World:
    """Targets without percent can never be carried out."""
    world.edit(targetRevisions=[entry("hello-00002")])
    return world.settle()


def test_a_rollout_is_in_progress_until_it_is_complete_and_then_current() -> None:
    world = two_revisions(World())
    seen: list[str] = []
    while kstatus(world.settle().ro()) == IN_PROGRESS:
        reconciling = conditions(world.ro())["Reconciling"]
        assert (reconciling["status"], reconciling["severity"]) == ("True", "Info")
        assert (reconciling["reason"], reconciling["message"]) == (
            "RevisionRollingInProgress",
            "Still in the progress of rolling the new revision.",
        )
        seen.append(world.condition("Ready")[0])
        assert len(seen) < 60
        autoscale(world, 4)
        world.clock.advance(1)
    assert seen.count("Unknown") == len(seen) > 3
    assert kstatus(world.ro()) == CURRENT
    assert world.condition("LastStageReady") == ("True", "")
    assert not conditions(world.ro()).keys() & set(PROGRESS), "an absent condition is a false one"


def test_one_that_no_loop_has_seen_is_in_progress_by_the_default_of_its_status() -> None:
    world = two_revisions(World(), status={"observedGeneration": -1})
    assert kstatus(world.ro()) == IN_PROGRESS
    world.settle()
    assert world.ro()["status"]["observedGeneration"] == world.ro()["metadata"]["generation"]
    assert (kstatus(world.ro()), world.stage()["hello-00002"]) == (IN_PROGRESS, (25, 1))


def test_a_failed_one_is_failed_with_the_reason_and_message_of_ready() -> None:
    world = fail(two_revisions(World()).settle())
    ready, stalled = (conditions(world.ro())[type_] for type_ in ("Ready", "Stalled"))
    assert kstatus(world.ro()) == FAILED
    assert ready["status"] == "False"
    assert (stalled["status"], stalled["severity"]) == ("True", "Info")
    assert (stalled["reason"], stalled["message"]) == (ready["reason"], ready["message"])
    assert "Reconciling" not in conditions(world.ro())
    assert world.forget().settle().written() == [], "it is reported once"


def test_a_new_generation_takes_the_failure_back() -> None:
    world = fail(two_revisions(World()).settle())
    world.edit(targetRevisions=[entry("hello-00002", 100, 1, 10, latestRevision=True)])
    assert kstatus(world.ro()) == IN_PROGRESS, "before the loop has seen it"
    world.settle()
    assert kstatus(world.ro()) == IN_PROGRESS
    assert "Stalled" not in conditions(world.ro())


def test_a_complete_one_with_new_targets_is_in_progress_again() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    for _ in range(20):
        autoscale(world.settle(), 1)
        world.clock.advance(1)
    assert kstatus(world.settle().ro()) == CURRENT
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 1, latestRevision=True)])
    assert kstatus(world.ro()) == IN_PROGRESS
    assert kstatus(world.settle().ro()) == IN_PROGRESS
    assert "Reconciling" in conditions(world.ro())


def test_one_that_moves_nothing_because_of_another_is_in_progress_and_says_why() -> None:
    world = pulled_apart(World()).settle()
    assert kstatus(world.ro("other")) == IN_PROGRESS
    reconciling = conditions(world.ro("other"))["Reconciling"]
    assert reconciling["reason"] == "RevisionShared"
    assert f"{SHARED} belongs to RolloutOrchestrator hello" in reconciling["message"]


def test_one_that_is_late_and_stands_still_is_in_progress_and_says_why() -> None:
    world = two_revisions(World()).settle()
    world.clock.advance(3600)
    world.loop.enqueue_everything()
    world.settle()
    assert kstatus(world.ro()) == IN_PROGRESS
    assert conditions(world.ro())["Reconciling"]["reason"] == "StageTimedOut"


@pytest.mark.parametrize("left", PROGRESS)
def test_with_steps_off_a_condition_that_nobody_else_would_remove_is_removed(left: str) -> None:
    others = [{"type": "Ready", "status": "True"}, {"type": "StageReady", "status": "True"}]
    status = {"observedGeneration": 1, "conditions": [*others, {"type": left, "status": "True", "severity": "Info"}]}
    world = two_revisions(World(steps=False), status=status).settle()
    assert world.ro()["status"]["conditions"] == others
    assert world.written() == ["patch rolloutorchestrators/status default/hello"]


def test_with_steps_off_the_status_is_left_to_upstream() -> None:
    world = two_revisions(World(steps=False), status={"observedGeneration": -1}).settle()
    assert world.written() == []


# Beside upstream's controllers


RECORDED = ("rollout_reconcile_1", "rollout_reconcile_2", "rollout_reconcile_wrapped")


def recorded_status() -> Iterator[tuple[str, Wire, int]]:
    """The status that upstream left behind in each recorded pass, and the generation that it speaks of."""
    for row in recorded_rows(*RECORDED):
        status = row["expected"].get("status")
        if status and status.get("conditions"):
            generation = row["input"]["ro"]["metadata"].get("generation", 0)
            yield row["id"], {"observedGeneration": generation, **status}, generation


def with_progress(status: Wire, generation: int) -> list[Wire]:
    ro = RolloutOrchestrator.from_dict({"metadata": {"name": "hello", "generation": generation}, "status": status})
    mark_progress(ro, NOON)
    return [condition.to_dict() for condition in ro.status.conditions]


def test_what_upstream_wrote_stays_as_it_is() -> None:
    for row, status, generation in recorded_status():
        found = with_progress(status, generation)
        left = [one for one in found if one["type"] not in PROGRESS]
        assert left == sorted(status["conditions"], key=lambda one: str(one["type"])), row
        statuses = {one["type"]: one["status"] for one in left}
        unhappy = "Stalled" if statuses["StageReady"] == "False" else "Reconciling"
        added = [(one["type"], one["severity"]) for one in found if one["type"] in PROGRESS]
        assert added == ([] if statuses["Ready"] == "True" else [(unhappy, "Info")]), row


@pytest.mark.parametrize(
    "mark",
    [
        lambda conditions: conditions.true("StageReady"),
        lambda conditions: conditions.true("LastStageReady"),
        lambda conditions: conditions.unknown("StageReady", *START),
        lambda conditions: conditions.failed("it cannot be done"),
    ],
    ids=["stage ready", "last stage ready", "stage begins", "failed"],
)
def test_whatever_upstream_marks_next_its_ready_is_the_same(mark: Callable[[Conditions], None]) -> None:
    for row, status, generation in recorded_status():
        beside, alone = Conditions(with_progress(status, generation)), Conditions(status["conditions"])
        mark(beside)
        mark(alone)
        assert [one for one in beside.listed() if one["type"] not in PROGRESS] == alone.listed(), row


@pytest.mark.parametrize("type_", PROGRESS)
def test_ready_follows_from_the_others_alone(type_: str) -> None:
    """As upstream's, our own pass goes on as if neither were there."""
    world = two_revisions(World(), replicas=1, high=1)
    ro = world.settle().ro()
    foreign = {"type": type_, "status": "True", "severity": "Info", "reason": "Left"}
    found = [one for one in ro["status"]["conditions"] if one["type"] not in PROGRESS]
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "status": {**ro["status"], "conditions": [*found, foreign]}})
    for _ in range(20):
        autoscale(world.settle(), 1)
        world.clock.advance(1)
    assert kstatus(world.settle().ro()) == CURRENT
