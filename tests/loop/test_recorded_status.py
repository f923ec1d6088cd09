"""The recorded status: what somebody wrote into it by hand, and what the loop then plans from."""

from typing import Any

import pytest

from tests.loop.world import World, autoscale, carry, entry, two_revisions
from tests.objects import rollout
from webhook.api import InvalidRollout, RolloutOrchestrator, TargetRevision
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.loop.spec_decision import has_new_targets, with_sound_record
from webhook.planning.planned_targets import PLANNED_TARGETS, record_of, recorded_targets

UP, DOWN = "hello-00002", "hello-00001"
STAGE = [entry(DOWN, 60, direction="down", targetReplicas=3), entry(UP, 40, direction="up", targetReplicas=2)]
SOUND: list[list[Any]] = [
    [],
    STAGE,
    [entry(DOWN, None, direction="down", targetReplicas=0), entry(UP, 100)],
    [entry(DOWN, 50), entry(UP, 50, tag="t"), entry("hello-00003", 0)],
]
NONSENSE = [
    ([entry(DOWN, 500)], "[0].percent: 500 is not from 0 to 100"),
    ([entry(DOWN, 120), entry(UP, -20)], "[0].percent: 120 is not from 0 to 100"),
    ([entry(DOWN, 100), entry(UP, -20)], "[1].percent: -20 is not from 0 to 100"),
    ([{"percent": 100}], "[0].revisionName: must not be empty"),
    ([entry(DOWN, 100, targetReplicas=-1)], "[0].targetReplicas: -1 is below 0"),
    ([entry(DOWN, 100, -2)], "[0].minScale: -2 is below 0"),
    ([entry(DOWN, 100, 0, -2)], "[0].maxScale: -2 is below 0"),
]


def recorded(ro: RolloutOrchestrator) -> list[Any]:
    return [revision.to_dict() for revision in ro.status.stage_revision_status]


@pytest.mark.parametrize("record", SOUND)
def test_a_sound_record_is_planned_from(record: list[Any]) -> None:
    ro = rollout(STAGE, recorded=record)
    assert with_sound_record(ro) == (ro, ())


@pytest.mark.parametrize(("record", "problem"), NONSENSE)
@pytest.mark.parametrize(
    ("stage", "ready", "instead"), [(STAGE, "True", STAGE), (STAGE, "Unknown", []), ([], "True", [])]
)
def test_in_place_of_any_other_stands_the_stage_that_was_reached_or_none(
    record: list[Any], problem: str, stage: list[Any], ready: str, instead: list[Any]
) -> None:
    ro = rollout(stage, recorded=record, conditions={"StageReady": ready})
    sound, (note,) = with_sound_record(ro)
    assert recorded(sound) == instead
    assert note.reason == "RecordIgnored"
    assert note.message.startswith(f"status.stageRevisionStatus{problem}; ")
    assert recorded(ro) == record, "what is stored stays as it is"


def test_a_stage_that_makes_no_sense_either_is_no_record() -> None:
    ro = rollout([entry(DOWN, 500), entry(UP, 0)], recorded=[entry(DOWN, 500)], conditions={"StageReady": "True"})
    assert recorded(with_sound_record(ro)[0]) == []


# In the loop


def write_by_hand(world: World, record: list[Any]) -> None:
    ro = world.ro()
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "status": {**ro["status"], "stageRevisionStatus": record}})


@pytest.mark.parametrize(("record", "problem"), NONSENSE)
def test_a_complete_rollout_goes_on_from_what_it_reached(record: list[Any], problem: str) -> None:
    world = two_revisions(World())
    carry(world)
    write_by_hand(world, record)
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.settle()
    (start,) = world.ro()["spec"]["initialRevisions"]
    assert (start["revisionName"], start["percent"]) == (UP, 100)
    assert any(f"Warning RecordIgnored: status.stageRevisionStatus{problem}" in line for line in world.emitted())
    carry(world)
    assert world.stage()["hello-00003"][0] == 100


@pytest.mark.parametrize(("record", "problem"), NONSENSE)
def test_a_rollout_under_way_neither_stops_nor_leads_back(record: list[Any], problem: str) -> None:
    world = two_revisions(World(), replicas=10)
    shares: list[int] = []
    for tick in range(60):
        world.settle()
        shares.append(world.stage().get(UP, (0, 0))[0] or 0)
        if world.condition("Ready")[0] == "True":
            break
        if tick in (4, 5, 9):
            write_by_hand(world, record)
        autoscale(world, 10)
        world.clock.advance(1)
    assert shares[-1] == 100
    assert shares == sorted(shares)
    assert any("RecordIgnored" in line for line in world.emitted())


A, B, C = (entry(name, 100) for name in "abc")
TO_B = [entry("a", 80, direction="down"), entry("b", 20, direction="up")]
SPLIT = [entry("a", 50), entry("b", 50)]
TAG = entry("b", 0, tag="next")


def ro(targets: list[Any], stage: list[Any], record: list[Any] | str | None) -> RolloutOrchestrator:
    status: dict[str, Any] = {}
    if record is not None:
        text = record if isinstance(record, str) else record_of([TargetRevision.from_dict(one) for one in record])
        status["annotations"] = {PLANNED_TARGETS: text}
    return RolloutOrchestrator.from_dict(
        {"spec": {"targetRevisions": targets, "stageTargetRevisions": stage}, "status": status}
    )


@pytest.mark.parametrize(
    ("targets", "stage", "record", "new"),
    [
        ([B], TO_B, [B], False),
        ([C], TO_B, [B], True),
        ([A], TO_B, [B], True),
        ([B], [], None, False),
        ([B], [], [B], False),
        ([C], [], [B], True),
        ([B], TO_B, [A], False),
        ([B], TO_B, None, False),
        ([C], TO_B, None, True),
        (SPLIT, TO_B, [B], True),
        (SPLIT, SPLIT, [B], False),
        ([entry("a", 40), entry("b", 60)], SPLIT, SPLIT, True),
        ([entry("b", 50), entry("a", 50)], SPLIT, SPLIT, True),
        ([entry("b", 100, 2, 9)], TO_B, [B], False),
        ([B], TO_B, "not json", False),
        ([B, TAG], TO_B, [B], False),
        ([B], TO_B, [B, TAG], False),
        ([B], TO_B, '[["b",100],["b",0]]', False),
        ([C, TAG], TO_B, [B, TAG], True),
        ([B, TAG], TO_B, None, False),
        ([*SPLIT, TAG], SPLIT, SPLIT, False),
        ([A], SPLIT, SPLIT, True),
        ([B], SPLIT, [B], False),
    ],
    ids=[
        "on its way",
        "another revision",
        "back again",
        "not begun",
        "not begun, recorded",
        "no stage, other targets",
        "stage stored, record still to come",
        "a stage that somebody else planned",
        "somebody else's stage leads elsewhere",
        "now several",
        "several, stage stored",
        "other percents",
        "another order",
        "other bounds only",
        "an unreadable record",
        "a tag has come",
        "a tag has gone",
        "a tag in the record of an earlier release",
        "another revision beside a tag",
        "a tag, no record",
        "a tag beside several",
        "one of the several that are reached",
        "one of several, recorded and looked at",
    ],
)
def test_rows(targets: list[Any], stage: list[Any], record: list[Any] | str | None, new: bool) -> None:
    assert has_new_targets(ro(targets, stage, record)) is new


@pytest.mark.parametrize(
    ("targets", "stage", "generation", "new"),
    [
        ([A], TO_B, 2, True),
        ([A], TO_B, 1, False),
        ([B], TO_B, 2, False),
        ([A], [], 2, False),
        (SPLIT, TO_B, 2, False),
    ],
    ids=[
        "a stage for others was stored, its record was not, and these were set again",
        "the stage was looked at with these targets: somebody else planned it",
        "on its way",
        "no stage: it is planned anyway",
        "several: the stage is set to them anyway",
    ],
)
def test_the_targets_on_record_stated_again(targets: list[Any], stage: list[Any], generation: int, new: bool) -> None:
    status = {"annotations": {PLANNED_TARGETS: ro(targets, stage, targets).status.annotations[PLANNED_TARGETS]}}
    spec = {"targetRevisions": targets, "stageTargetRevisions": stage}
    one = {"metadata": {"generation": generation}, "spec": spec, "status": {**status, "observedGeneration": 1}}
    assert has_new_targets(RolloutOrchestrator.from_dict(one)) is new


def test_a_pause_looks_at_a_generation_without_a_plan() -> None:
    one = ro([A], TO_B, [A]).to_dict() | {"metadata": {"generation": 1}}
    one["status"] |= {"observedGeneration": 1, "conditions": [{"type": "Paused", "status": "True"}]}
    assert has_new_targets(RolloutOrchestrator.from_dict(one)) is True


def test_a_target_without_percent_cannot_be_compared() -> None:
    with pytest.raises(InvalidRollout, match=r"spec\.targetRevisions\[0\]\.percent"):
        has_new_targets(ro([entry("b")], TO_B, [B]))


def test_a_record_reads_back_as_what_was_recorded() -> None:
    targets = [TargetRevision(revision_name="a", percent=0), TargetRevision(revision_name="b")]
    one = ro([], [], record_of(targets))
    assert recorded_targets(one) == targets
