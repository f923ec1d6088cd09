"""What moves when a stage runs out of time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planning.rollouts import down, plain, stay, up
from webhook.api import InvalidRollout, MissingObservation
from webhook.api import TargetRevision as Revision
from webhook.planning import PlanningError, shift_traffic_next_stage

OLD, NEW, OTHER = "hello-00001", "hello-00002", "hello-00003"


def shift(stage: list[Revision], scales: dict[str, int | None], ratio: int = 100) -> list[Revision]:
    return shift_traffic_next_stage(stage, ratio, scales, set(scales)).revisions


@pytest.mark.parametrize(
    ("ratio", "percents"),
    [(100, (30, 70)), (50, (30, 70)), (20, (50, 50)), (1, (69, 31))],
)
def test_what_the_target_leaves_moves_at_most_the_ratio(ratio: int, percents: tuple[int, int]) -> None:
    stage = [down(OLD, 70, 3), up(NEW, 30, 7)]
    assert shift(stage, {OLD: 7, NEW: 3}, ratio) == [down(OLD, percents[0], 3), up(NEW, percents[1], 7)]


def test_a_revision_that_has_nothing_left_loses_its_percent() -> None:
    assert shift([down(OLD, 10, 0), up(NEW, 90, 10)], {OLD: 1, NEW: 9}) == [down(OLD, None, 0), up(NEW, 100, 10)]


def test_a_part_of_a_percent_is_a_whole_one() -> None:
    assert shift([down(OLD, 70, 2), up(NEW, 30, 1)], {OLD: 3, NEW: 1})[0].percent == 46


def test_no_direction_is_up_and_directions_are_read_literally() -> None:
    assert shift([down(OLD, 70, 6), plain(NEW, 30)], {OLD: 7, NEW: 3})[1].percent == 40
    with pytest.raises(PlanningError, match="goes down"):
        shift([plain(OLD, 70, direction="Down"), up(NEW, 30, 4)], {OLD: 7, NEW: 3})


def test_of_several_the_last_before_both_are_known_counts() -> None:
    stage = [down(OTHER, 10, 0), down(OLD, 60, 5), up(NEW, 30, 4), down("hello-00004", 5, 0)]
    shifted = shift(stage, {OTHER: 1, OLD: 6, NEW: 3, "hello-00004": 1})
    assert [entry.percent for entry in shifted] == [10, 55, 35, 5]


@pytest.mark.parametrize(
    ("stage", "word"),
    [([down(OLD, 70, 1)], "up"), ([up(NEW, 30, 1)], "down"), ([stay(OTHER, 5), up(NEW, 30)], "down")],
)
def test_nothing_to_move_to_or_from_is_an_error(stage: list[Revision], word: str) -> None:
    with pytest.raises(PlanningError, match=f"goes {word}"):
        shift(stage, {OLD: 7, NEW: 3})


# Differences from upstream


def test_tag_entries_are_shifted_as_one_revision() -> None:
    stage = [down(OLD, 60, 3), down(OLD, 10, tag="old"), up(NEW, 30, 7), up(NEW, 0, tag="next")]
    shifted = shift(stage, {OLD: 7, NEW: 3})
    assert shifted == [down(OLD, 30, 3, tag="old"), up(NEW, 70, 7, tag="next")]


def test_a_tag_entry_without_percent_is_named_by_its_place() -> None:
    stage = [down(OLD, 60, 3), down(OLD, 10), up(NEW, None, 7)]
    with pytest.raises(InvalidRollout, match=r"spec\.stageTargetRevisions\[2\]\.percent"):
        shift(stage, {OLD: 7, NEW: 3})


@pytest.mark.parametrize(
    ("stage", "scales", "percents"),
    [
        # Upstream uses the target of the first entry, here the one going up, and moves 50.
        ([up(NEW, 30, 2), down(OLD, 70, 6)], {NEW: 3, OLD: 7}, [40, 60]),
        ([stay(OTHER, 10, 0), down(OLD, 60, 5), up(NEW, 30, 4)], {OTHER: 1, OLD: 6, NEW: 3}, [10, 50, 40]),
        # Upstream moves 5 back, since the one going down runs less than its target already.
        ([down(OLD, 40, 5), up(NEW, 60, 6)], {OLD: 4, NEW: 6}, [40, 60]),
        # Upstream goes to 100 and takes all the same, so that ten percent are lost.
        ([down(OLD, 60, 0), up(NEW, 50, 9)], {OLD: 6, NEW: 5}, [10, 100]),
    ],
)
def test_shift_range(stage: list[Revision], scales: dict[str, int | None], percents: list[int]) -> None:
    """Traffic moves by the target of the entry going down, within what there is and what has room."""
    assert [entry.percent for entry in shift(stage, scales)] == percents


@pytest.mark.parametrize(("ratio", "held"), [(0, 1), (-7, 1), (250, 100)])
def test_ratio_range(ratio: int, held: int) -> None:
    stage = [down(OLD, 70, 3), up(NEW, 30, 7)]
    shifted = shift_traffic_next_stage(stage, ratio, {OLD: 7, NEW: 3}, {OLD, NEW})
    assert shifted.revisions == shift(stage, {OLD: 7, NEW: 3}, held)
    assert [note.reason for note in shifted.notes] == ["RatioHeld"]


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ([down(OLD, None, 1), up(NEW, 30)], "spec.stageTargetRevisions[0].percent"),
        ([down(OLD, 70, 1), up(NEW, None)], "spec.stageTargetRevisions[1].percent"),
        ([down(OLD, 70), up(NEW, 30)], "spec.stageTargetRevisions[0].targetReplicas"),
    ],
)
def test_no_panic_over_what_the_stage_does_not_say(stage: list[Revision], field: str) -> None:
    with pytest.raises(InvalidRollout) as caught:
        shift(stage, {OLD: 7, NEW: 3})
    assert caught.value.field == field


@pytest.mark.parametrize("scales", [{OLD: 0, NEW: 0}, {OLD: None, NEW: 3}, {NEW: 3}])
def test_no_panic_over_what_is_not_seen_yet(scales: dict[str, int | None]) -> None:
    with pytest.raises(MissingObservation):
        shift([down(OLD, 70, 1), up(NEW, 30)], scales)


@given(
    percent=st.integers(0, 100),
    scales=st.tuples(st.integers(1, 100), st.integers(0, 100)),
    target=st.integers(0, 100),
    ratio=st.integers(-10, 200),
    swapped=st.booleans(),
)
def test_percents_keep_their_sum_and_range_and_never_move_back(
    percent: int, scales: tuple[int, int], target: int, ratio: int, swapped: bool
) -> None:
    stage = [down(OLD, 100 - percent, target), up(NEW, percent, 5)]
    if swapped:
        stage.reverse()
    try:
        shifted = shift(stage, dict(zip((OLD, NEW), scales, strict=True)), ratio)
    except (MissingObservation, PlanningError):
        return
    rising = next(entry.percent for entry in shifted if entry.goes_up)
    falling = next(entry.percent for entry in shifted if entry.goes_down)
    assert (rising or 0) + (falling or 0) == 100
    assert percent <= (rising or 0) <= 100
    assert falling != 0
