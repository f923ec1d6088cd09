"""The entries of a stage: directions, traffic, and whether it is the last."""

import pytest

from tests.objects import revision
from webhook.api import InvalidRollout, TargetRevision
from webhook.strategies.stage import is_last_stage_complete, up_and_down, without_idle

Entries = list[TargetRevision]


def test_directions_are_read_trimmed_and_in_any_case() -> None:
    stage = [
        revision(name, direction=direction)
        for name, direction in zip("abcdef", ["", "up", " UP", "Down ", "stay", "x"], strict=True)
    ]
    up, down = up_and_down(stage)
    assert (list(up), list(down)) == (["a", "b", "c"], ["d"])


def test_a_revision_that_is_listed_twice_goes_one_way_as_one() -> None:
    up, down = up_and_down([revision("a", 10, minScale=3), revision("b", 20, "down"), revision("a", 0, tag="next")])
    assert list(up.values()) == [revision("a", 10, minScale=3, tag="next")]
    assert list(down.values()) == [revision("b", 20, "down")]
    assert up_and_down([revision("a", 10), revision("a", 20, "down")]) == ({}, {"a": revision("a", 30, "down")})


@pytest.mark.parametrize(
    ("reached", "final", "complete"),
    [
        ([revision("a", 100)], [revision("a", 60), revision("a", 40, tag="next")], True),
        ([revision("a", 60)], [revision("a", 60), revision("a", 40, tag="next")], False),
        ([revision("a", 60), revision("a", 40)], [revision("a", 100)], True),
        ([revision("a", 50), revision("b", 50)], [revision("a", 50), revision("b", 50), revision("a", 0)], True),
    ],
)
def test_the_last_stage_is_reached_by_revisions_not_by_entries(
    reached: Entries, final: Entries, complete: bool
) -> None:
    assert is_last_stage_complete(reached, final) is complete


def test_entries_without_traffic_are_left_out_but_for_the_latest_at_0() -> None:
    kept = without_idle([revision("a", 10), revision("b"), revision("c", 0), revision("d", 0, latestRevision=True)])
    assert [entry.revision_name for entry in kept] == ["a", "d"]


@pytest.mark.parametrize(
    ("directions", "dropped", "after"),
    [
        (["stay", "stay", "up"], True, ["stay", "down", "up"]),
        (["stay", "stay", "up"], False, ["stay", "stay", "up"]),
        (["Stay", "up"], True, ["Stay", "up"]),
    ],
)
def test_the_last_that_stays_goes_down_next_when_an_entry_is_left_out(
    directions: list[str], dropped: bool, after: list[str]
) -> None:
    stage = [revision(f"r{index}", 10, direction) for index, direction in enumerate(directions)]
    idle = [revision("idle", 0)] if dropped else []
    assert [entry.direction for entry in without_idle([*stage, *idle])] == after


@pytest.mark.parametrize(
    ("reached", "final", "complete"),
    [
        ([revision("a", 60), revision("b", 40)], [revision("a", 60), revision("b", 40)], True),
        ([revision("a", 60, tag="x")], [revision("a", 60)], False),
        ([revision("b", 0), revision("a", 100, "up", targetReplicas=3)], [revision("a", 100)], True),
        ([revision("a", 90), revision("b", 10)], [revision("a", 100)], False),
        ([revision("b", 100)], [revision("a", 100)], False),
        ([], [revision("a", 100)], False),
        ([], [], True),
    ],
)
def test_last_stage_complete(reached: Entries, final: Entries, complete: bool) -> None:
    assert is_last_stage_complete(reached, final) is complete


@pytest.mark.parametrize(
    ("final", "field"),
    [([], "spec.targetRevisions"), ([revision("b")], "spec.targetRevisions[0].percent")],
)
def test_no_panic_over_targets_that_are_missing(final: Entries, field: str) -> None:
    with pytest.raises(InvalidRollout) as caught:
        is_last_stage_complete([revision("a", 100)], final)
    assert caught.value.field == field
