"""People pause and abort the rollout of a Service on stock Knative: its Route, its pods, and the way out."""

from itertools import pairwise

import pytest

from tests.loop.knative import LOWERED, NEW, OLD, THIRD, Knative, carry
from tests.loop.steering import BY_ALICE, BY_BOB, annotate, annotations
from webhook.api.steering import ABORT, PAUSE, PAUSE_AFTER_STAGE, PAUSE_BY, RETRY
from webhook.cluster.resource import ROUTES
from webhook.knative.traffic import stock_traffic


def turns(knative: Knative, count: int) -> None:
    for _ in range(count):
        knative.world.settle()
        knative.turn()
        knative.world.clock.advance(1)
    knative.world.settle()


@pytest.mark.parametrize("shares", [{OLD: 100}, {OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}])
def test_no_route_changes_while_a_rollout_is_paused(knative: Knative, shares: dict[str, int]) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == shares)
    annotate(knative.world, BY_ALICE).settle()
    knative.path.clear()
    knative.world.forget()
    turns(knative, 400)
    assert {tuple(one.items()) for one, _ in knative.path} == {tuple(shares.items())}
    assert [write for write in knative.world.written() if " routes " in write] == []
    assert knative.world.condition("Paused") == ("True", "Paused")

    annotate(knative.world, {PAUSE: None, PAUSE_BY: None})
    carry(knative)
    assert knative.shares() == {NEW: 100}


def test_the_service_gets_an_event_for_each_pause_also_in_the_same_words(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    for count in (1, 2):
        annotate(knative.world, BY_ALICE)
        turns(knative, 5)
        assert knative.world.reasons().count("RolloutPaused") == count
        annotate(knative.world, {PAUSE: None, PAUSE_BY: None})
        turns(knative, 1)


def test_a_paused_route_that_another_client_changes_is_set_back(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    annotate(knative.world, BY_ALICE)
    turns(knative, 5)
    route = knative.route
    route["spec"]["traffic"] = stock_traffic(knative.service)
    knative.world.api.put(ROUTES, route)
    knative.world.settle()
    knative.turn()
    assert knative.shares() == {OLD: 75, NEW: 25}


@pytest.mark.parametrize("pause", [BY_ALICE, {**BY_ALICE, PAUSE_AFTER_STAGE: "1"}], ids=["at once", "after a stage"])
def test_an_edit_during_a_pause_waits_for_its_end(knative: Knative, pause: dict[str, str]) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    annotate(knative.world, pause)
    turns(knative, 10)
    knative.edit(3, born=LOWERED)
    turns(knative, 100)
    assert knative.shares() == {OLD: 75, NEW: 25}
    annotate(knative.world, dict.fromkeys(pause))
    carry(knative)
    assert knative.shares() == {THIRD: 100}


def aborted(knative: Knative, shares: dict[str, int]) -> list[dict[str, int]]:
    """A rollout that is aborted at these shares, and back; the shares on its way."""
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == shares)
    knative.path.clear()
    annotate(knative.world, BY_BOB)
    carry(knative, lambda: knative.world.condition("Ready") == ("False", "Aborted"))
    return [one for one, _ in knative.path]


@pytest.mark.parametrize("at", [{OLD: 100}, {OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}, {OLD: 25, NEW: 75}])
def test_an_aborted_service_goes_back_by_stages_and_stays_held(knative: Knative, at: dict[str, int]) -> None:
    path = aborted(knative, at)
    shares = [one.get(NEW, 0) for one in path]
    assert sorted(shares, reverse=True) == shares
    assert all(before - after <= 25 for before, after in pairwise(shares))
    for one, pods in knative.path:
        assert pods[OLD] * 25 >= one.get(OLD, 0), "no share on fewer pods than it takes"
    turns(knative, 100)
    assert knative.shares() == {OLD: 100}
    assert knative.pods == {OLD: 4, NEW: 0}
    assert knative.is_held
    assert knative.world.condition_message("Ready") == (
        f"Aborted by bob: errors. The rollout is back at {OLD} 100%;"
        " in Git change the template of Service hello: the revision of its next edit is rolled out."
    )
    assert knative.world.forget().settle().written() == []


def test_the_next_edit_after_an_abort_is_rolled_out_and_gives_everything_back(knative: Knative) -> None:
    aborted(knative, {OLD: 50, NEW: 50})
    knative.edit(3, born=LOWERED)
    path = carry(knative)
    assert knative.shares() == {THIRD: 100}
    assert all(NEW not in dict(shares) for shares in path[-3:])
    turns(knative, 3)
    assert [knative.annotations(name) for name in (OLD, NEW, THIRD)] == [{"min-scale": "4"}] * 3
    assert annotations(knative.world) == {}
    assert knative.world.condition("Ready") == ("True", "")


@pytest.mark.parametrize("is_paused", [False, True])
@pytest.mark.parametrize("at", [{OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}])
def test_a_retry_on_the_way_back_goes_on_from_the_live_shares(
    knative: Knative, at: dict[str, int], is_paused: bool
) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 25, NEW: 75})
    annotate(knative.world, BY_BOB)
    carry(knative, lambda: knative.shares() == at)
    knative.path.clear()
    if is_paused:
        annotate(knative.world, BY_ALICE).settle()
    annotate(knative.world, {RETRY: NEW})
    if is_paused:
        turns(knative, 10)
        annotate(knative.world, {PAUSE: None, PAUSE_BY: None})
    carry(knative)
    shares = [one.get(NEW, 0) for one, _ in knative.path]
    assert sorted(shares) == shares
    assert shares[-1] == 100


def test_an_abort_of_an_edit_that_a_pause_holds_lets_the_new_revision_go(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    turns(knative, 3)
    annotate(knative.world, BY_ALICE).settle()
    knative.edit(3, born=LOWERED)
    turns(knative, 5)
    assert knative.pods[THIRD] == 1
    annotate(knative.world, {**BY_BOB, ABORT: THIRD})
    carry(knative, lambda: knative.world.condition("Ready") == ("False", "Aborted"))
    turns(knative, 10)
    assert knative.shares() == {NEW: 100}
    assert knative.pods == {OLD: 0, NEW: 4, THIRD: 0}
    assert knative.world.forget().settle().written() == []


def test_an_old_revision_that_fails_after_an_abort_does_not_give_the_traffic_to_the_new_one(knative: Knative) -> None:
    aborted(knative, {OLD: 75, NEW: 25})
    knative.broken.add(OLD)
    turns(knative, 60)
    assert knative.is_held
    assert knative.shares() == {OLD: 100}


def test_an_aborted_service_that_is_opted_out_goes_where_knative_sends_it(knative: Knative) -> None:
    aborted(knative, {OLD: 50, NEW: 50})
    annotate(knative.world, {"stagegate.dev/release": "support"})
    carry(knative)
    turns(knative, 3)
    assert knative.shares() == {NEW: 100}
    assert knative.world.condition("Ready") == ("True", "")
    assert knative.world.condition("Aborted") == ("", "")
