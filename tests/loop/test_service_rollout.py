"""The rollout of a Service on stock Knative by the loop: stages, shares and replicas, writes and Events, the end."""

from collections import Counter

import pytest

from tests.loop.knative import LOWERED, NEW, OLD, Knative, as_shares, by_resourceutil, carry
from tests.loop.world import World


def test_an_edited_service_is_carried_through_its_stages(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    path = carry(knative)
    assert path == as_shares({OLD: 100}, {OLD: 75, NEW: 25}, {OLD: 50, NEW: 50}, {OLD: 25, NEW: 75}, {NEW: 100})
    peak = max(sum(pods.values()) for _, pods in knative.path)
    assert peak == 5, "one stage more than the Service has"
    for shares, pods in knative.path:
        for name, percent in shares.items():
            assert pods[name] >= percent * 4 // 100, "no share on fewer pods than it takes"


def test_what_the_four_stages_of_an_edit_cost_in_writes_and_events(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    writes = Counter(write.rpartition(" ")[0] for write in knative.world.written())

    assert writes["patch rolloutorchestrators/status"] == 4 * 4, "begun, scaled up, traffic moved, done"
    assert writes["patch rolloutorchestrators"] == 4
    assert writes["patch routes"] == 4 + 2, "a stage each; the hold ends in two"
    assert writes["patch stagepodautoscalers"] + writes["create stagepodautoscalers"] == 2 * 4 + 1
    assert len(knative.world.reasons()) == 4 * 4 + 2, "and the start and the end, about the Service"


def test_everything_is_given_back_at_the_end(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    for _ in range(3):
        knative.turn()
    assert knative.annotations(OLD) == {"min-scale": "4"}
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]
    assert knative.pods == {OLD: 0, NEW: 4}
    knative.world.settle()
    assert knative.world.forget().settle().written() == [], "at rest nothing is written"


def test_the_service_gets_one_event_at_the_start_and_one_at_the_end(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative)
    of_service = [event for event in knative.world.events if event.regarding["kind"] == "Service"]
    assert [(event.type, event.reason) for event in of_service] == [
        ("Normal", "RolloutStarted"),
        ("Normal", "RolloutComplete"),
    ]


def test_the_rollout_states_since_when_it_is_held_and_that_no_request_reaches_the_new_revision(
    knative: Knative,
) -> None:
    world = knative.world
    knative.edit(2, born=LOWERED)
    since = world.clock.now().replace(microsecond=0)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    held = world.stored_condition("RouteHeld")
    assert (held["status"], held["lastTransitionTime"]) == ("True", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert world.condition("NoTrafficYet") == ("True", "RolloutInProgress")
    assert world.condition_message("NoTrafficYet") == f"No request reaches {NEW} yet."
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    assert world.stored_condition("NoTrafficYet") == {}
    assert world.stored_condition("RouteHeld") == held
    carry(knative)
    assert world.stored_condition("RouteHeld") == {}


def test_resourceutil_lowers_before_it_raises(knative: Knative) -> None:
    by_resourceutil(knative).edit(2, born=LOWERED)
    path = carry(knative)
    assert path[0] == ((OLD, 100),)
    assert path[-1] == ((NEW, 100),)
    assert len(path) == 5
    peak = max(sum(pods.values()) for _, pods in knative.path)
    assert peak == 4, "never more than before"


def test_a_rollout_ends_where_nothing_scales_to_zero(knative: Knative) -> None:
    knative.scales_to_zero = False
    knative.edit(2, born=LOWERED)
    assert carry(knative)[-1] == ((NEW, 100),)
    assert knative.pods[OLD] == 1


def test_a_new_loop_takes_up_what_it_finds(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    for _ in range(60):
        knative.turn()
        knative.world.start()
        knative.world.settle()
        knative.world.clock.advance(1)
        if not knative.is_held:
            break
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]


def test_without_stock_knative_services_are_left_alone() -> None:
    world = World(stock_knative=False)
    knative = Knative(world).start(min_scale="4")
    knative.edit(2, born=LOWERED)
    assert world.settle().written() == []
    assert {call.resource for call in world.api.reads} & {"namespaces"} == set()


# Shares and the replicas for them


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_traffic_driven_service_gives_no_share_to_pods_that_do_not_run(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world, demand=4).start()
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2)
    path = carry(knative, turns=600)
    assert path[-1] == ((NEW, 100),)
    for shares, pods in knative.path:
        assert pods.get(NEW, 0) >= shares.get(NEW, 0) * 3 // 100, (shares, pods)
    assert knative.annotations(NEW) == {}


def test_a_traffic_driven_service_keeps_no_replicas_for_its_shares_where_that_is_turned_off() -> None:
    world = World()
    world.settings(over_consumption_ratio="25", keep_replicas_for_shares="false")
    knative = Knative(world, demand=4).start()
    world.settle().forget()
    knative.edit(2)
    minimums = set()
    for _ in range(40):
        knative.turn()
        world.settle()
        minimums.add(knative.annotations(NEW).get("min-scale"))
    assert minimums == {None}


def test_a_pod_that_the_autoscaler_counts_and_the_deployment_does_not_gets_no_share(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.world.deployment(NEW, 1, 0)
    for _ in range(10):
        knative.turn()
        knative.world.settle()
    assert knative.pods[NEW] == 1
    assert knative.shares() == {OLD: 100}
    knative.world.deployment(NEW, 1, 1)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})


# A Route that does not move


def test_traffic_does_not_move_before_the_route_shows_it_and_nothing_is_lowered(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.stalled = True
    for _ in range(20):
        knative.turn()
        knative.world.settle()
        knative.world.clock.advance(1)
    assert knative.pods == {OLD: 4, NEW: 1}
    assert knative.annotations(OLD) == {"min-scale": "4"}
    assert knative.world.condition("StageTrafficReady")[0] == "Unknown"
    assert "Route hello to move to hello-00001 75%, hello-00002 25%" in knative.world.condition_message("StageReady")
    knative.world.forget()
    knative.world.settle()
    assert knative.world.written() == [], "nothing is written while it stands"
    knative.stalled = False
    carry(knative)


def test_stages_that_time_out_add_up_no_shares_while_the_route_does_not_move(knative: Knative) -> None:
    world = knative.world

    def turn() -> None:
        knative.turn()
        for name, pods in knative.pods.items():
            world.deployment(name, pods, pods)
        world.settle()
        world.clock.advance(10)

    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.pods.get(NEW) == 1)
    knative.stalled = True
    for _ in range(100):
        turn()
    assert "its Route has not shown the traffic of the stage for that long" in " ".join(world.emitted())
    knative.stalled = False
    for _ in range(40):
        turn()
    assert knative.shares() == {NEW: 100}
    for shares, pods in knative.path:
        assert pods.get(NEW, 0) * 25 >= shares.get(NEW, 0), (shares, pods)
