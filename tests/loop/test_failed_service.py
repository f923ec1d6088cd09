"""New Revisions that fail: what becomes of the shares of a Service on stock Knative, and what it is told."""

import pytest

from tests.loop.knative import LOWERED, NEW, OLD, THIRD, Knative, by_resourceutil, carry
from tests.loop.world import World


def test_a_new_revision_that_is_never_ready_gets_nothing_and_the_next_edit_replaces_it(knative: Knative) -> None:
    knative.broken.add(NEW)
    knative.edit(2, born=LOWERED)
    for _ in range(30):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.shares() == {OLD: 100}
    assert knative.pods[OLD] == 4
    assert "ExitCode1" in knative.world.condition_message("StageReady")
    knative.edit(3, born=LOWERED)
    path = carry(knative)
    assert path[-1] == ((THIRD, 100),)
    assert all(NEW not in dict(shares) for shares in path)


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_the_share_of_a_new_revision_that_fails_is_given_back_where_that_is_set(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25", give_failed_shares_back="true")
    knative = Knative(world).start(min_scale="4")
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.broken.add(NEW)
    knative.path.clear()
    carry(knative, lambda: knative.shares() == {OLD: 100}, turns=300)
    assert [dict(shares) for shares in dict.fromkeys(tuple(shares.items()) for shares, _ in knative.path)] == [
        {OLD: 50, NEW: 50},
        {OLD: 100},
    ], "a share that stays would keep the Route from moving"
    assert knative.path[-1][1][OLD] == 4, "the old revision has its replicas before the requests"
    aborts = [line for line in world.emitted() if "Abort" in line]
    assert f"{NEW} is not Ready (ExitCode1: Container failed)" in " ".join(aborts)
    for _ in range(10):
        knative.turn()
        world.settle()
    assert knative.shares() == {OLD: 100}
    assert knative.pods == {OLD: 4, NEW: 0}
    knative.edit(3, born=LOWERED)
    assert carry(knative)[-1] == ((THIRD, 100),)


def test_without_that_setting_the_route_stays_as_it_is_until_the_revision_is_ready_again(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    knative.broken.add(NEW)
    for _ in range(60):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.shares() == {OLD: 50, NEW: 50}
    failure = f"Warning RolloutFailed: {NEW} is not Ready (ExitCode1: Container failed)"
    assert [line for line in knative.world.emitted() if line.startswith(failure)]
    knative.broken.clear()
    assert carry(knative)[-1] == ((NEW, 100),)


def test_a_stage_that_is_late_is_a_failure_of_the_service_although_knative_names_none(knative: Knative) -> None:
    knative.hanging.add(NEW)
    knative.edit(2, born=LOWERED)
    for _ in range(200):
        knative.turn()
        for name, pods in knative.pods.items():
            knative.world.deployment(name, max(1, pods), pods)
        knative.world.settle()
        knative.world.clock.advance(60)
    failures = [
        event.message
        for event in knative.world.events
        if event.regarding["kind"] == "Service" and event.reason == "RolloutFailed"
    ]
    assert len(failures) == 1
    assert failures[0].startswith("The stage was not done by ")
