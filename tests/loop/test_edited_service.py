"""Services on stock Knative that are edited in the middle of a rollout: the shares and replicas from there."""

from itertools import pairwise

from tests.loop.knative import LOWERED, NEW, OLD, THIRD, Knative, as_shares, carry


def test_an_edit_in_the_middle_starts_from_the_live_shares(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.path.clear()
    knative.edit(3, born=LOWERED)
    path = [dict(shares) for shares in carry(knative)]
    assert path[0] == {OLD: 50, NEW: 50}
    assert path[-1] == {THIRD: 100}
    for before, after in pairwise(path):
        for name in (OLD, NEW):
            assert after.get(name, 0) <= before.get(name, 0), "what goes down is never raised"
    for _ in range(3):
        knative.turn()
    knative.world.settle()
    assert [knative.annotations(name) for name in (OLD, NEW, THIRD)] == [{"min-scale": "4"}] * 3


def test_an_edit_right_after_the_traffic_moved_does_not_count_the_pods_that_are_about_to_go(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    assert knative.pods[OLD] == 3, "the old revision is to go to two"
    knative.path.clear()
    knative.edit(3, born=LOWERED)
    path = [dict(shares) for shares in carry(knative)]
    assert path == [
        {OLD: 50, NEW: 50},
        {OLD: 50, NEW: 25, THIRD: 25},
        {OLD: 50, THIRD: 50},
        {OLD: 25, THIRD: 75},
        {THIRD: 100},
    ]
    assert max(sum(pods.values()) for _, pods in knative.path) <= 6
    assert max(pods.get(THIRD, 0) for _, pods in knative.path) == 4


def test_an_edit_before_the_new_revision_has_a_share_starts_no_pods_for_a_revision_in_the_middle(
    knative: Knative,
) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.edit(3, born=LOWERED)
    carry(knative)
    shares = as_shares(*(shares for shares, _ in knative.path))
    assert shares[-4:] == as_shares({OLD: 75, THIRD: 25}, {OLD: 50, THIRD: 50}, {OLD: 25, THIRD: 75}, {THIRD: 100})
    assert max(pods.get(THIRD, 0) for _, pods in knative.path) == 4
    totals = [sum(pods.values()) for _, pods in knative.path]
    assert totals[1] == 6, "the old pods, and the first one of both new revisions"
    assert max(totals[2:]) == 5, "one stage more than the Service has"


def test_edits_in_quick_succession_run_no_revision_above_its_own_minimum(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.edit(3, born=LOWERED)
    carry(knative, lambda: THIRD in knative.shares())
    knative.edit(4, born=LOWERED)
    carry(knative)
    assert max(max(pods.values()) for _, pods in knative.path) == 4
    assert max(sum(pods.values()) for _, pods in knative.path) <= 7
