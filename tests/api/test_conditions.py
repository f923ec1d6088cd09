"""The condition set: what Ready says after each mark, and which times move."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhook.api import Condition, ConditionSet

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def conditions(**statuses: str) -> ConditionSet:
    """A set in which each condition was last marked a minute after the one before."""
    return ConditionSet(
        Condition(type_, status, reason=f"{type_}Reason", last_transition_time=NOON + timedelta(minutes=index))
        for index, (type_, status) in enumerate(statuses.items())
    )


def statuses(subject: ConditionSet) -> dict[str, str]:
    return {condition.type: condition.status for condition in subject}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"Ready": "Unknown", "StageReady": "Unknown", "LastStageReady": "Unknown"}),
        ({"Ready": "True"}, {"Ready": "True", "StageReady": "True", "LastStageReady": "True"}),
        ({"Ready": "False"}, {"Ready": "False", "StageReady": "Unknown", "LastStageReady": "Unknown"}),
        (
            {"Ready": "True", "StageReady": "False"},
            {"Ready": "True", "StageReady": "False", "LastStageReady": "True"},
        ),
    ],
)
def test_initialize_adds_only_what_is_missing(before: dict[str, str], after: dict[str, str]) -> None:
    subject = conditions(**before)
    subject.initialize(LATER)
    assert statuses(subject) == after


@pytest.mark.parametrize(
    ("before", "marked", "ready"),
    [
        ({"StageReady": "True"}, "LastStageReady", ("True", "")),
        ({}, "StageReady", ("Unknown", "")),
        ({"LastStageReady": "Unknown"}, "StageReady", ("Unknown", "LastStageReadyReason")),
        ({"LastStageReady": "False"}, "StageReady", ("False", "LastStageReadyReason")),
        ({"LastStageReady": "False", "Foreign": "Unknown"}, "StageReady", ("False", "LastStageReadyReason")),
        ({"LastStageReady": "Unknown", "Foreign": "Unknown"}, "StageReady", ("Unknown", "ForeignReason")),
        ({"StageReady": "Unknown", "LastStageReady": "True"}, "StageScaleUpReady", ("Unknown", "StageReadyReason")),
    ],
)
def test_marking_true_lets_ready_follow_the_latest_unhappy_one(
    before: dict[str, str], marked: str, ready: tuple[str, str]
) -> None:
    subject = conditions(**before)
    subject.mark_true(marked, LATER)
    happy = subject.get("Ready")
    assert happy is not None
    assert (happy.status, happy.reason) == ready


@pytest.mark.parametrize(
    ("before", "marked", "ready"),
    [
        ({"Ready": "True", "StageReady": "True"}, "LastStageReady", ("Unknown", "Now")),
        ({"Ready": "True", "StageReady": "True"}, "StageScaleUpReady", ("True", "ReadyReason")),
        ({"Ready": "True", "StageReady": "False"}, "StageScaleUpReady", ("False", "Now")),
        ({"Ready": "False", "StageReady": "False"}, "LastStageReady", ("False", "ReadyReason")),
    ],
)
def test_marking_unknown_never_hides_a_failure(before: dict[str, str], marked: str, ready: tuple[str, str]) -> None:
    subject = conditions(**before)
    subject.mark_unknown(marked, "Now", "it is so", LATER)
    happy = subject.get("Ready")
    assert happy is not None
    assert (happy.status, happy.reason) == ready


def test_conditions_that_ready_does_not_depend_on_only_inform() -> None:
    subject = conditions(StageReady="True", LastStageReady="True")
    subject.mark_false("StageScaleUpReady", "Slow", "still scaling", LATER)
    informing = subject.get("StageScaleUpReady")
    assert informing is not None
    assert informing.severity == "Info"
    subject.mark_true("LastStageReady", LATER)
    assert subject.is_true("Ready")


def test_a_condition_that_is_missing_or_has_no_time_has_not_changed() -> None:
    subject = ConditionSet([Condition("Ready", "True", last_transition_time=NOON), Condition("StageReady", "True")])
    assert [subject.changed_at(type_) for type_ in ("Ready", "StageReady", "Paused")] == [NOON, None, None]


def test_a_time_moves_only_when_the_condition_changes() -> None:
    subject = conditions(StageReady="True", LastStageReady="True")
    subject.mark_true("StageReady", LATER)  # clears the reason, so it changes
    subject.mark_true("StageReady", LATER + timedelta(hours=1))
    stage = subject.get("StageReady")
    assert stage is not None
    assert stage.last_transition_time == LATER


def test_later_marks_are_later_even_when_the_clock_stands_still() -> None:
    subject = ConditionSet()
    subject.mark_unknown("StageReady", "First", "", NOON)
    subject.mark_unknown("LastStageReady", "Second", "", NOON)
    subject.mark_true("StageScaleUpReady", NOON)
    ready = subject.get("Ready")
    assert ready is not None
    assert ready.reason == "Second"


def test_what_equals_except_times_before_keeps_its_time() -> None:
    before = ConditionSet([Condition("StageReady", "True", last_transition_time=NOON)])
    after = before.copy()
    after.mark_unknown("StageReady", "Start", "", LATER)
    after.mark_true("StageReady", LATER)
    after.keep_times_of(before)
    stage = after.get("StageReady")
    assert stage is not None
    assert stage.last_transition_time == NOON


@pytest.mark.parametrize("name", [each.name for each in fields(Condition)])
def test_only_the_time_of_a_condition_may_differ(name: str) -> None:
    condition = Condition("StageReady", "True", "Info", "R", "m", NOON, {"observer": "x"})
    other: dict[str, Any] = {"last_transition_time": LATER, "extra": {"observer": "y"}}
    changed = replace(condition, **{name: other.get(name, "another")})
    assert condition.equals_except_times(changed) is (name == "last_transition_time")


def test_a_condition_survives_a_round_trip() -> None:
    data = {
        "type": "StageReady",
        "status": "False",
        "severity": "Info",
        "reason": "R",
        "message": "m",
        "lastTransitionTime": "2024-05-01T12:00:00Z",
        "observer": "x",
    }
    assert Condition.from_dict(data).to_dict() == data
