"""A whole rollout in the loop: its bounds and stages from start to end, its cost in writes, and its Events."""

from typing import Any

import pytest

from tests.loop.world import World, carry, two_revisions
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_rollout_is_carried_from_start_to_end(strategy: str) -> None:
    world = two_revisions(World(), rolloutStrategy=strategy)
    carry(world)
    assert world.condition("LastStageReady") == ("True", "")
    assert world.ro()["status"]["stageRevisionStatus"][-1]["revisionName"] == "hello-00002"
    assert world.bounds("hello-00001") == (0, 1)
    assert world.bounds("hello-00002") == (1, 10)
    assert world.reasons()[-1] == "RolloutComplete"
    assert world.forget().settle().written() == [], "an idle rollout costs nothing"
    assert world.api.reads == [] or {call.verb for call in world.api.reads} == {"watch"}


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_stage_costs_two_spa_specs_one_ro_spec_and_three_ro_statuses(strategy: str) -> None:
    world = two_revisions(World(), replicas=10, high=20, rolloutStrategy=strategy)
    costs: dict[tuple[tuple[str, Any], ...], dict[str, int]] = {}

    def count() -> None:
        for write in world.api.writes:
            if write.resource == "rolloutorchestrators":
                stage = tuple(
                    sorted(
                        (one["revisionName"], one.get("percent")) for one in write.body["spec"]["stageTargetRevisions"]
                    )
                )
                costs[stage] = {}
            if costs:
                bucket = costs[next(reversed(costs))]
                bucket[write.resource] = bucket.get(write.resource, 0) + 1
        world.api.writes.clear()

    carry(world, demand=10, every=count)
    first, *others = costs.values()
    assert len(others) >= 3
    assert first["stagepodautoscalers"] <= 3
    for cost in others:
        assert cost["rolloutorchestrators"] == 1
        assert cost["rolloutorchestrators/status"] <= 3
        assert cost.get("stagepodautoscalers", 0) <= 2
    assert not [call for call in world.api.reads if (call.verb, call.resource) == ("list", "pods")][1:]
    assert not [call for call in world.api.reads if call.verb == "get"]


def test_the_old_revision_stays_until_the_new_one_is_up() -> None:
    world = two_revisions(World()).settle()
    assert world.bounds("hello-00001") == (1, 10)
    world.clock.advance(100)
    world.settle()
    assert world.bounds("hello-00001") == (1, 10)
    world.scale("hello-00002", 1)
    world.settle()
    assert world.bounds("hello-00001") == (1, 3)


# Events


def test_what_happens_is_told_in_order() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    carry(world, demand=1)
    assert world.emitted() == [
        "Normal StageStarted: hello-00001 no traffic, to run 0 replicas; hello-00002 100% of traffic, to run 1 replica",
        "Normal ScaledUp: up: hello-00002 runs 1 replica",
        "Normal RolloutComplete: hello-00002 100% of traffic, 1 replica",
    ]


def test_a_wait_is_told_once_it_has_lasted_longer_than_ten_seconds_and_costs_no_write() -> None:
    world = two_revisions(World(), replicas=1, high=1).settle().forget()
    world.clock.advance(9)
    assert world.settle().emitted() == []
    world.clock.advance(1)
    assert world.settle().emitted() == ["Normal Waiting: scaling up: waiting for hello-00002 to run 1 replica"]
    world.scale("hello-00002", 1)
    world.settle().forget()
    world.clock.advance(9)
    assert world.settle().emitted() == []
    world.clock.advance(1)
    assert world.settle().emitted() == ["Normal Waiting: scaling down: waiting for hello-00001 to run 0 replicas"]
    assert world.written() == []


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_stage_costs_at_most_four_events(strategy: str) -> None:
    world = two_revisions(World(), replicas=10, high=20, rolloutStrategy=strategy)
    carry(world, demand=10)
    stages = world.reasons().count("StageStarted")
    assert stages >= 3
    assert len(world.emitted()) <= 4 * stages


def test_what_is_waited_for_is_told_again_by_a_loop_that_starts_later() -> None:
    world = two_revisions(World(), replicas=1, high=1).settle()
    world.clock.advance(10)
    world.forget().start()
    world.settle()
    assert world.written() == []
    assert world.emitted() == ["Normal Waiting: scaling up: waiting for hello-00002 to run 1 replica"]


# Settings


def test_the_config_map_and_annotations_set_the_pace() -> None:
    world = two_revisions(World(), replicas=10, high=20)
    world.settings(over_consumption_ratio="50")
    world.settle()
    assert world.stage() == {"hello-00001": (50, 5), "hello-00002": (50, 5)}


@pytest.mark.parametrize(
    ("annotated", "specified", "configured", "carried", "stored"),
    [
        pytest.param("resourceutil", "availability", None, "resourceutil", "availability", id="the annotation"),
        pytest.param(" ResourceUtil ", "Availability", None, "resourceutil", "Availability", id="in any spelling"),
        pytest.param("availability", "resourceutil", None, "availability", "resourceutil", id="either way"),
        pytest.param(None, "availability", "resourceutil", "availability", "availability", id="that of the spec"),
        pytest.param(None, None, "resourceutil", "resourceutil", "resourceutil", id="the configured one, written"),
        pytest.param(None, None, None, "availability", "availability", id="none: availability, written"),
    ],
)
def test_a_stage_is_carried_out_by_the_strategy_in_force(
    annotated: str | None, specified: str | None, configured: str | None, carried: str, stored: str
) -> None:
    world = World()
    if configured:
        world.settings(progressive_rollout_strategy=configured)
    two_revisions(world, rolloutStrategy=specified or "")
    if annotated:
        ro = world.ro()
        annotations = {"rollout.knative.dev/progressive-rollout-strategy": annotated}
        world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "metadata": {**ro["metadata"], "annotations": annotations}})
    world.settle()
    first = {"availability": (1, 10), "resourceutil": (0, 0)}
    assert world.bounds("hello-00002") == first[carried], "up at once, or held until the old one is down"
    carry(world)
    assert world.ro()["spec"]["rolloutStrategy"] == stored
    assert world.condition("LastStageReady")[0] == "True"
