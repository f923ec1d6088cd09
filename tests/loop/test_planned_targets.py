"""Targets: what was recorded, what the spec names now, and whether the rollout starts anew."""

from typing import Any

import pytest

from tests.loop.world import entry
from webhook.api import InvalidRollout, RolloutOrchestrator, TargetRevision
from webhook.loop.planned_targets import PLANNED_TARGETS, has_new_targets, record_of, recorded_targets

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
        "a stage for others was stored, its record was not, and these were stated again",
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


def test_a_target_without_percent_cannot_be_compared() -> None:
    with pytest.raises(InvalidRollout, match=r"spec\.targetRevisions\[0\]\.percent"):
        has_new_targets(ro([entry("b")], TO_B, [B]))


def test_a_record_reads_back_as_what_was_recorded() -> None:
    targets = [TargetRevision(revision_name="a", percent=0), TargetRevision(revision_name="b")]
    one = ro([], [], record_of(targets))
    assert recorded_targets(one) == targets
