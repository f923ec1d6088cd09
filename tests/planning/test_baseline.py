"""The baseline: the revision whose replicas and traffic give the replicas for a percent of traffic."""

import pytest

from tests.planning.rollouts import plain, stay, up
from webhook.api import MissingObservation
from webhook.api import TargetRevision as Revision
from webhook.planning import PlanningError
from webhook.planning.increment import read_baseline

A, B = "hello-00001", "hello-00002"


@pytest.mark.parametrize(
    ("revisions", "scales", "spas", "baseline"),
    [
        # With an SPA the densest one counts.
        ([plain(A, 50), plain(B, 50)], {A: 5, B: 6}, {A, B}, (6, 50)),
        ([plain(A, 50), plain(B, 50)], {A: 6, B: 5}, {A, B}, (6, 50)),
        ([plain(A, 80), plain(B, 20)], {A: 8, B: 2}, {A, B}, (8, 80)),
        # Without one the thinnest.
        ([plain(A, 50), plain(B, 50)], {A: 5, B: 6}, set(), (5, 50)),
        ([plain(A, 50), plain(B, 50)], {A: 6, B: 5}, set(), (5, 50)),
        # The first one counts whether it has an SPA or not.
        ([plain(A, 50), plain(B, 50)], {A: 6, B: 5}, {B}, (6, 50)),
        # Without an SPA, a scale that minScale explains counts by its share of minScale.
        ([plain(A, 50, min_scale=7)], {A: 7}, set(), (3, 50)),
        ([plain(A, 50, min_scale=7)], {A: 8}, set(), (8, 50)),
        ([plain(A, 50, min_scale=7)], {A: 7}, {A}, (7, 50)),
        # What literally stays, has no percent or none of the traffic gives no measure.
        ([stay(A, 50), plain(B, 50)], {A: 9, B: 1}, {A, B}, (1, 50)),
        ([plain(A, None), plain(B, 50)], {A: 9, B: 1}, {A, B}, (1, 50)),
        ([up(A, 0), plain(B, 50)], {A: 9, B: 1}, {A, B}, (1, 50)),
        ([plain(A, 50, direction="Stay"), plain(B, 50)], {A: 9, B: 1}, {A, B}, (9, 50)),
    ],
)
def test_which_revision_is_the_baseline(
    revisions: list[Revision], scales: dict[str, int | None], spas: set[str], baseline: tuple[int, int]
) -> None:
    read = read_baseline(revisions, scales, spas)
    assert (read.replicas, read.traffic) == baseline


def test_every_revision_that_was_looked_at_is_remembered() -> None:
    read = read_baseline([plain(A, 80), plain(B, 20), stay("hello-00003", 5)], {A: 8, B: 1}, {A, B})
    assert read.running == {A: 8, B: 1}


@pytest.mark.parametrize("scales", [{A: 8}, {A: 8, B: None}])
def test_a_pod_autoscaler_or_a_scale_that_is_missing_is_worth_another_try(scales: dict[str, int | None]) -> None:
    with pytest.raises(MissingObservation, match=B):
        read_baseline([plain(A, 80), plain(B, 20)], scales, {A, B})


@pytest.mark.parametrize("revisions", [[], [stay(A, 100)], [plain(A, None)]])
def test_nothing_to_measure_is_an_error(revisions: list[Revision]) -> None:
    with pytest.raises(PlanningError):
        read_baseline(revisions, {A: 1}, {A})
