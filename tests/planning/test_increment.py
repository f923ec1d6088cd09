"""One step: what goes up, what goes down, and by how much."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.planning.rollouts import down, plain, stay, up
from webhook.api import InvalidRollout
from webhook.api import TargetRevision as Revision
from webhook.planning.increment import Baseline, StartEntry, read_baseline, take_step

OLD, NEW, OTHER = "hello-00001", "hello-00002", "hello-00003"


def step(start: list[Revision], target: Revision, scales: dict[str, int], ratio: int = 10) -> list[Revision]:
    entries = [StartEntry(revision, f"spec.initialRevisions[{index}]") for index, revision in enumerate(start)]
    return take_step(entries, target, read_baseline(start, scales, scales), ratio, scales)


@pytest.mark.parametrize(
    ("scales", "ratio", "stage"),
    [
        # One tenth of ten replicas.
        ({OLD: 10}, 10, [(OLD, 90, 9), (NEW, 10, 1)]),
        # Replicas are whole: a tenth of three is one, which carries a third of the traffic.
        ({OLD: 3}, 10, [(OLD, 66, 2), (NEW, 34, 1)]),
        # One replica cannot be divided.
        ({OLD: 1}, 10, [(OLD, None, 0), (NEW, 100, 1)]),
        ({OLD: 10}, 100, [(OLD, None, 0), (NEW, 100, 10)]),
        ({OLD: 12}, 25, [(OLD, 75, 9), (NEW, 25, 3)]),
    ],
)
def test_the_first_step(scales: dict[str, int], ratio: int, stage: list[tuple[str, int | None, int]]) -> None:
    planned = step([plain(OLD)], plain(NEW), scales, ratio)
    assert [(entry.revision_name, entry.percent, entry.target_replicas) for entry in planned] == stage
    assert [entry.direction for entry in planned] == ["down", "up"]


def test_a_new_target_is_appended_with_name_and_bounds_alone() -> None:
    target = plain(NEW, min_scale=2, max_scale=30, tag="blue", url="http://blue", configuration_name="hello")
    assert step([plain(OLD)], target, {OLD: 10})[-1] == up(NEW, 10, 1, min_scale=2, max_scale=30, latest_revision=True)


def test_the_last_revision_goes_down_and_the_others_stay() -> None:
    start = [plain(OLD, 50, tag="a", latest_revision=True), plain(OTHER, 50, tag="b", latest_revision=True)]
    planned = step(start, plain(NEW), {OLD: 5, OTHER: 5})
    assert planned == [
        stay(OLD, 50, latest_revision=False),
        down(OTHER, 40, 4, latest_revision=False),
        up(NEW, 10, 1, latest_revision=True),
    ]


@pytest.mark.parametrize(("target", "kept"), [(1, None), (2, 2), (None, None)])
def test_a_revision_that_stays_loses_a_target_below_its_minimum(target: int | None, kept: int | None) -> None:
    start = [plain(OLD, 50, target_replicas=target, min_scale=2), plain(OTHER, 50)]
    assert step(start, plain(NEW), {OLD: 5, OTHER: 5})[0].target_replicas == kept


def test_a_target_that_is_there_goes_on_and_the_one_before_it_goes_down() -> None:
    start = [plain(OTHER, 30), down(OLD, 40, 4), up(NEW, 30, 3)]
    planned = step(start, plain(NEW), {OTHER: 3, OLD: 4, NEW: 3})
    assert planned == [stay(OTHER, 30), down(OLD, 30, 3), up(NEW, 40, 4)]


def test_a_target_that_is_not_last_takes_from_the_last() -> None:
    planned = step([plain(OLD, 70), plain(NEW, 30)], plain(OLD), {OLD: 7, NEW: 3})
    assert planned == [up(OLD, 80, 8), down(NEW, 20, 2)]


def test_the_last_step_reaches_the_minimum_of_the_target() -> None:
    start = [down(OLD, 10, 1), up(NEW, 90, 9, min_scale=20)]
    assert step(start, plain(NEW), {OLD: 1, NEW: 9}) == [down(OLD, None, 0), up(NEW, 100, 20, min_scale=20)]


@pytest.mark.parametrize(
    "start",
    [
        [down(OLD, 50, 5), up(NEW, 50, 5, min_scale=20)],
        [plain(OTHER, 5), down(OLD, 10, 1), up(NEW, 85, 5, min_scale=20)],
    ],
)
def test_no_step_short_of_all_the_traffic_does(start: list[Revision]) -> None:
    assert (step(start, plain(NEW), {OLD: 5, NEW: 5, OTHER: 0})[-1].target_replicas or 0) < 20


def test_the_revision_going_down_keeps_what_its_traffic_needs_rounded_up() -> None:
    start = [down(OLD, 50, 10), up(NEW, 50, 11)]
    assert step(start, plain(NEW), {OLD: 10, NEW: 11}) == [down(OLD, 40, 9), up(NEW, 60, 13)]


def test_no_panic_over_a_missing_percent() -> None:
    with pytest.raises(InvalidRollout) as caught:
        step([plain(OLD), plain(OTHER, None)], plain(NEW), {OLD: 5, OTHER: 5})
    assert caught.value.field == "spec.initialRevisions[1].percent"


@given(
    percents=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    replicas=st.lists(st.integers(1, 200), min_size=4, max_size=4),
    ratio=st.integers(1, 100),
    found=st.booleans(),
)
def test_the_sum_of_percents_is_kept_and_one_revision_rises_while_one_falls(
    percents: list[int], replicas: list[int], ratio: int, found: bool
) -> None:
    names = [f"hello-{number:05d}" for number in range(1, len(percents) + 1)]
    start = [plain(name, percent) for name, percent in zip(names, percents, strict=True)]
    target = plain(names[0] if found and len(names) > 1 else NEW + "-next")
    planned = step(start, target, dict(zip(names, replicas, strict=False)), ratio)
    assert sum(entry.percent or 0 for entry in planned) == sum(percents)
    assert sorted(entry.direction for entry in planned if entry.direction != "stay") == ["down", "up"]
    before = {entry.revision_name: entry.percent or 0 for entry in start}
    for entry in planned:
        moved = (entry.percent or 0) - before.get(entry.revision_name, 0)
        assert (moved > 0, moved < 0) == (entry.direction == "up", entry.direction == "down")


@given(replicas=st.integers(1, 1000), traffic=st.integers(1, 100), ratio=st.integers(1, 100))
def test_a_step_is_what_the_ratio_allows_in_whole_replicas_at_least_one(
    replicas: int, traffic: int, ratio: int
) -> None:
    taken = Baseline(replicas, traffic, {}).replicas_for(ratio)
    assert taken == max(1, math.floor(replicas * ratio / traffic))
