"""Which stage comes next, and when none does."""

import pytest

from tests.planning.rollouts import (
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    REACHED,
    ask,
    down,
    plain,
    rollout,
    stay,
    up,
)
from webhook.api import InvalidRollout, MissingObservation
from webhook.api import TargetRevision as Revision
from webhook.planning import PlanningError

OLD, NEW, OTHER = "hello-00001", "hello-00002", "hello-00003"


# When a stage is due


@pytest.mark.parametrize(
    ("conditions", "due"),
    [
        (REACHED, True),
        (IN_PROGRESS, False),
        (COMPLETE, False),
        ({}, False),
        ({"StageReady": "True"}, True),
        ({"StageReady": "True", "LastStageReady": "False"}, True),
    ],
)
def test_a_stage_is_due_when_the_present_one_is_reached_and_not_the_last(conditions: dict[str, str], due: bool) -> None:
    stage = [down(OLD, 90, 9), up(NEW, 10, 1)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=stage, recorded=stage, conditions=conditions)
    planned = ask(ro, {OLD: 9, NEW: 1})
    assert planned.planned is due
    assert (planned.spec.stage_target_revisions != stage) is due


@pytest.mark.parametrize("conditions", [IN_PROGRESS, COMPLETE, REACHED, {}])
def test_a_stage_is_due_when_there_is_none(conditions: dict[str, str]) -> None:
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], conditions=conditions)
    assert ask(ro, {OLD: 10, NEW: 0}).planned


def test_the_ro_that_was_asked_about_is_unchanged() -> None:
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)])
    before = ro.to_dict()
    planned = ask(ro, {OLD: 10, NEW: 0})
    assert ro.to_dict() == before
    assert planned.spec.stage_target_revisions


@pytest.mark.parametrize(
    ("timeout", "finish_time"),
    [
        (2, "2024-05-01T12:02:00Z"),
        (0, "2024-05-01T12:00:00Z"),
        (-5, "2024-05-01T11:55:00Z"),
        (2**62, "9999-12-31T23:59:59Z"),
        (-(2**62), "2024-05-01T12:00:00Z"),
    ],
)
def test_a_planned_stage_has_the_timeout_from_now(timeout: int, finish_time: str) -> None:
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], finish_time="2024-05-01T11:00:00Z")
    assert ask(ro, {OLD: 10, NEW: 0}, timeout=timeout).spec.target_finish_time == finish_time


# The end at once


@pytest.mark.parametrize("targets", [[], [plain(NEW, 50), plain(OTHER, 50)]])
def test_several_targets_or_none_are_the_stage_themselves(targets: list[Revision]) -> None:
    ro = rollout(start=[plain(OLD)], target=targets, stage=[up(OLD, 100)], finish_time="2024-05-01T11:00:00Z")
    planned = ask(ro, {})
    assert planned.spec.stage_target_revisions == targets
    assert planned.spec.target_finish_time == "2024-05-01T11:00:00Z"


def test_without_progressive_rollouts_the_target_is_the_stage() -> None:
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), {}, enabled=False)
    assert (planned.spec.stage_target_revisions, planned.planned) == ([plain(NEW)], False)


def test_equal_start_and_end_but_for_tag_and_url_is_the_end() -> None:
    start = plain(OLD, tag="blue", url="http://blue.example.com")
    planned = ask(rollout(start=[start], target=[plain(OLD)]), {})
    assert (planned.spec.stage_target_revisions, planned.planned) == ([plain(OLD)], True)


@pytest.mark.parametrize("start", [[], [plain(OLD, 0)]])
def test_nothing_to_start_from_is_the_end_without_a_timeout(start: list[Revision]) -> None:
    planned = ask(rollout(start=start, target=[plain(NEW)]), {OLD: 4, NEW: 0})
    assert (planned.spec.stage_target_revisions, planned.planned) == ([plain(NEW)], False)


def test_a_start_that_runs_nothing_is_the_end() -> None:
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), {OLD: 0, NEW: 0})
    assert (planned.spec.stage_target_revisions, planned.planned) == ([plain(NEW)], True)


# What it starts from


def test_it_starts_from_what_was_recorded_while_there_is_a_stage() -> None:
    stage = [down(OLD, 80, 8), up(NEW, 20, 2)]
    recorded = [down(OLD, 60, 6), up(NEW, 40, 4)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=stage, recorded=recorded, conditions=REACHED)
    planned = ask(ro, {OLD: 6, NEW: 4}, ratio=10)
    assert planned.spec.stage_target_revisions == [down(OLD, 50, 5), up(NEW, 50, 5)]


def test_it_starts_from_the_initial_revisions_without_a_stage() -> None:
    recorded = [down(OTHER, 60, 6), up(NEW, 40, 4)]
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)], recorded=recorded), {OLD: 10, NEW: 0})
    assert [entry.revision_name for entry in planned.spec.stage_target_revisions] == [OLD, NEW]


# Differences from upstream


OWN = {"min_scale": 2, "max_scale": 10}


@pytest.mark.parametrize(
    ("start", "target", "scales"),
    [
        ([plain(OLD)], [plain(NEW, **OWN), plain(NEW, 0, tag="next")], {OLD: 10, NEW: 0}),
        ([plain(OLD)], [plain(NEW, 0, tag="next"), plain(NEW, **OWN)], {OLD: 10, NEW: 0}),
        ([plain(OLD)], [plain(NEW, 60, min_scale=2), plain(NEW, 40, max_scale=10)], {OLD: 10, NEW: 0}),
        ([plain(OLD, 0, tag="old"), plain(OLD)], [plain(NEW, **OWN)], {OLD: 10, NEW: 0}),
        ([plain(OLD, 70), plain(OLD, 30)], [plain(NEW, **OWN)], {OLD: 10, NEW: 0}),
    ],
    ids=["a tag", "a tag first", "bounds in two entries", "a tag of the start", "a start in two entries"],
)
def test_tag_entries_are_planned_as_one_revision(
    start: list[Revision], target: list[Revision], scales: dict[str, int | None]
) -> None:
    planned = ask(rollout(start=start, target=target), scales)
    first = [down(OLD, 90, 9, latest_revision=False), up(NEW, 10, 1, latest_revision=True, **OWN)]
    assert (planned.spec.stage_target_revisions, planned.planned) == (first, True)
    assert planned.spec.target_revisions == target


def test_tag_entries_of_what_was_recorded_are_one_revision() -> None:
    recorded = [down(OLD, 60, 6), up(NEW, 30, 4), up(NEW, 10, tag="next")]
    target = [plain(NEW), plain(NEW, 0, tag="next")]
    ro = rollout(start=[plain(OLD)], target=target, stage=recorded, recorded=recorded, conditions=REACHED)
    stage = ask(ro, {OLD: 6, NEW: 4}).spec.stage_target_revisions
    assert stage == [down(OLD, 50, 5), up(NEW, 50, 5, tag="next")]


@pytest.mark.parametrize("start", [[plain(NEW, **OWN)], [plain(NEW, **OWN), plain(NEW, 0, tag="old")], []])
def test_tag_entries_are_one_in_a_stage_that_is_the_end(start: list[Revision]) -> None:
    target = [plain(NEW, **OWN), plain(NEW, 0, tag="next")]
    planned = ask(rollout(start=start, target=target), {NEW: 4})
    assert planned.spec.stage_target_revisions == [plain(NEW, **OWN, tag="next")]


def test_a_target_without_its_percent_is_named_by_its_first_entry() -> None:
    recorded = [plain(OLD, 40), plain(OLD, 60), plain(NEW, None), plain(NEW, None)]
    ro = rollout(start=[], target=[plain(OTHER)], stage=recorded, recorded=recorded, conditions=REACHED)
    error = ask(ro, {OLD: 4, NEW: 4}).error
    assert isinstance(error, InvalidRollout)
    assert error.field == "status.stageRevisionStatus[2].percent"


SPLIT = [plain(NEW, 50), plain(OTHER, 50)]


@pytest.mark.parametrize(
    ("targets", "stage", "conditions", "enabled", "noted"),
    [
        (SPLIT, [], {}, True, True),
        (SPLIT, SPLIT, IN_PROGRESS, True, True),
        (SPLIT, SPLIT, COMPLETE, True, False),
        (SPLIT, [], {}, False, False),
        ([plain(NEW), plain(NEW, 0, tag="next")], [], {}, True, False),
        ([], [], {}, True, False),
    ],
    ids=["no stage yet", "on its way", "complete", "stages are off", "a tag", "no targets"],
)
def test_several_targets_are_said_to_have_no_stages_until_they_are_reached(
    targets: list[Revision], stage: list[Revision], conditions: dict[str, str], enabled: bool, noted: bool
) -> None:
    planned = ask(rollout(target=targets, stage=stage, conditions=conditions), {NEW: 0}, enabled=enabled)
    message = "spec.targetRevisions: hello-00002, hello-00003 go up at once, without stages; to have stages name one"
    assert [note.reason for note in planned.notes] == (["SeveralTargets"] if noted else [])
    assert all(note.message.startswith(message) for note in planned.notes)


@pytest.mark.parametrize(
    ("annotated", "specified", "configured", "written"),
    [
        (None, "", "ResourceUtil", "resourceutil"),
        (None, "availability", "resourceutil", "availability"),
        (None, "ResourceUtil", "availability", "ResourceUtil"),
        ("resourceutil", "", "availability", "resourceutil"),
        ("resourceutil", "availability", "availability", "availability"),
        (None, "  ", "resourceutil", "resourceutil"),
    ],
)
def test_strategy_of_a_stage(annotated: str | None, specified: str, configured: str, written: str) -> None:
    """A strategy is written only where none is set: that of the annotation, else the configured one."""
    annotations = {"rollout.knative.dev/progressive-rollout-strategy": annotated} if annotated else {}
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], strategy=specified, annotations=annotations)
    assert ask(ro, {OLD: 10, NEW: 0}, strategy=configured).spec.rollout_strategy == written


@pytest.mark.parametrize(
    ("configured", "written"),
    [(" ResourceUtil\n", "resourceutil"), ("", "availability"), ("canary", "availability")],
)
def test_strategy_spelling(configured: str, written: str) -> None:
    """A strategy is written trimmed and in lower case; a blank or unknown one is availability."""
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), {OLD: 10, NEW: 0}, strategy=configured)
    assert planned.spec.rollout_strategy == written


def test_failed_stays() -> None:
    """Nothing is planned for a failed rollout, not even a strategy, until its spec changes."""
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], conditions=FAILED, generation=3, observed=3)
    planned = ask(ro, {OLD: 10, NEW: 0})
    assert (planned.spec, planned.planned, planned.error) == (ro.spec, False, None)


def test_failed_stays_only_for_the_generation_that_failed() -> None:
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], conditions=FAILED, generation=4, observed=3)
    assert ask(ro, {OLD: 10, NEW: 0}).planned


@pytest.mark.parametrize(("ratio", "held"), [(0, 1), (-5, 1), (101, 100), (250, 100)])
def test_ratio_range(ratio: int, held: int) -> None:
    """A ratio outside 1 to 100 plans as the nearest one inside, and says so."""
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)])
    planned, usual = (ask(ro, {OLD: 400, NEW: 0}, ratio=each) for each in (ratio, held))
    assert planned.spec == usual.spec
    assert [note.reason for note in planned.notes] == ["RatioHeld"]
    assert f"{ratio} is outside 1 to 100; {held} is used" in planned.notes[0].message
    assert usual.notes == ()


def test_ratio_range_is_silent_where_no_ratio_is_needed() -> None:
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=[up(NEW, 100)], conditions=IN_PROGRESS)
    assert ask(ro, {OLD: 1, NEW: 1}, ratio=0).notes == ()


def test_down_never_up() -> None:
    """Rounding up never asks the revision going down for more than it runs."""
    recorded = [down(OLD, 66, 2), up(NEW, 34, 2)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=recorded, recorded=recorded, conditions=REACHED)
    planned = ask(ro, {OLD: 1, NEW: 2}, ratio=10)
    assert planned.spec.stage_target_revisions == [down(OLD, 49, 1), up(NEW, 51, 3)]


@pytest.mark.parametrize("runs", [0, None])
def test_down_never_up_needs_a_scale_to_hold_to(runs: int | None) -> None:
    recorded = [stay(OLD, 50), up(NEW, 50, 10)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=recorded, recorded=recorded, conditions=REACHED)
    planned = ask(ro, {OLD: runs, NEW: 10})
    assert planned.spec.stage_target_revisions == [down(OLD, 40, 8), up(NEW, 60, 12)]


def test_same_revision() -> None:
    """The same revision with other bounds is the end; upstream leaves the stage empty."""
    target = plain(OLD, min_scale=5)
    planned = ask(rollout(start=[plain(OLD)], target=[target]), {OLD: 3})
    assert (planned.spec.stage_target_revisions, planned.planned) == ([target], True)


def test_same_revision_still_has_to_be_seen() -> None:
    planned = ask(rollout(start=[plain(OLD)], target=[plain(OLD, min_scale=5)]), {})
    assert isinstance(planned.error, MissingObservation)


@pytest.mark.parametrize(
    "start",
    [
        [stay(OLD, 70, 2), up(NEW, 30, 3)],
        [stay(OLD, 70), down(NEW, 30, 3)],
    ],
)
def test_rollback_found(start: list[Revision]) -> None:
    """The way back to a revision recorded as ``stay`` raises the entry that is there; upstream appends a second one."""
    planned = ask(rollout(start=start, target=[plain(OLD)]), {OLD: 7, NEW: 3})
    assert planned.spec.stage_target_revisions == [up(OLD, 80, 8), down(NEW, 20, 2)]


def test_rollback_found_without_percent() -> None:
    """A revision that had given away all its traffic comes back once."""
    start = [down(OLD, None, 0), up(NEW, 100, 10)]
    planned = ask(rollout(start=start, target=[plain(OLD)]), {OLD: 0, NEW: 10})
    assert planned.spec.stage_target_revisions == [
        down(NEW, 90, 9, latest_revision=False),
        up(OLD, 10, 1, latest_revision=True),
    ]


def test_rollback_found_forgets_targets_of_the_way_there() -> None:
    start = [down(OLD, 40, 4), stay(OTHER, 30, 1), up(NEW, 30, 3)]
    planned = ask(rollout(start=start, target=[plain(OLD)]), {OLD: 4, OTHER: 3, NEW: 3})
    assert planned.spec.stage_target_revisions[1] == stay(OTHER, 30)


# No panic


def test_no_panic_over_an_entry_without_percent() -> None:
    recorded = [up(NEW, 50, 5), down(OLD, None)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=recorded, recorded=recorded, conditions=REACHED)
    error = ask(ro, {OLD: 5, NEW: 5}).error
    assert isinstance(error, InvalidRollout)
    assert error.field == "status.stageRevisionStatus[1].percent"


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ({NEW: 0}, "PodAutoscaler hello-00001 does not exist yet"),
        ({OLD: None, NEW: 0}, "PodAutoscaler hello-00001 has no status.actualScale yet"),
    ],
)
def test_no_panic_over_a_missing_observation(scales: dict[str, int | None], message: str) -> None:
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), scales)
    assert isinstance(planned.error, MissingObservation)
    assert str(planned.error) == message
    assert not planned.planned


def test_nothing_to_measure_by_is_an_error() -> None:
    recorded = [stay(OLD, 100)]
    ro = rollout(start=[plain(OLD)], target=[plain(NEW)], stage=recorded, recorded=recorded, conditions=REACHED)
    assert isinstance(ask(ro, {OLD: 5, NEW: 0}).error, PlanningError)


def test_an_error_leaves_behind_what_upstream_does() -> None:
    """A ratio of 100 has put all that start and the targets into the stage before the error."""
    planned = ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), {}, ratio=100)
    assert planned.spec.stage_target_revisions == [down(OLD, None, latest_revision=False), plain(NEW)]
    assert ask(rollout(start=[plain(OLD)], target=[plain(NEW)]), {}, ratio=99).spec.stage_target_revisions == []
