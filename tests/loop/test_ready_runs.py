"""A revision gets traffic once it has shown that it can run: without min-scale, and on paths without stages."""

from typing import Any

import pytest

from tests.loop.world import World, condition, entry
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS

UNREADY = condition("Ready", "False", "ImagePullBackOff", 'Back-off pulling image "registry.invalid/p:2"')
STARTED = condition("ScaleTargetInitialized", "True")
NEVER_STARTED = condition("ScaleTargetInitialized", "Unknown")
WHY = 'p-2 runs no replica yet (PodAutoscaler: ImagePullBackOff: Back-off pulling image "registry.invalid/p:2")'
BOTH = ("availability", "resourceutil")


def service_p(**spec: Any) -> World:
    """p-1 runs nine replicas; p-2 is to follow it, and its image cannot be pulled. Neither states a min-scale."""
    world = World()
    world.revision("p-1", "p")
    world.revision("p-2", "p")
    world.scale("p-1", 9, service="p", conditions=[condition("Ready", "True"), STARTED])
    world.scale("p-2", 0, 1, service="p", conditions=[UNREADY, NEVER_STARTED])
    spec_fields = {"initialRevisions": [entry("p-1", 100)], "targetRevisions": [entry("p-2", 100)], **spec}
    world.rollout("p", **spec_fields)
    return world


def minutes(world: World, count: int = 5) -> World:
    """Time goes by, and nothing else happens."""
    for _ in range(count):
        world.settle()
        world.clock.advance(60)
    return world.settle()


def shows(world: World, replicas: int, desired: int | None = None) -> World:
    """p-2 starts after all."""
    world.scale("p-2", replicas, desired, service="p", conditions=[condition("Ready", "True"), STARTED])
    return world.settle()


def until_complete(world: World, demand: int = 9) -> World:
    """Loop and autoscaler take turns; p-2 can run."""
    for _ in range(60):
        world.settle()
        if world.condition("Ready", "p")[0] == "True":
            return world
        for name in ("p-1", "p-2"):
            percent = world.stage("p").get(name, (0, 0))[0] or 0
            low, high = world.bounds(name) if world.has_spa(name) else (0, 0)
            wanted = max(-(-demand * percent // 100), low or 0)
            wanted = min(wanted, high) if high else wanted
            world.scale(name, wanted, service="p", conditions=[condition("Ready", "True"), STARTED])
        world.clock.advance(1)
    raise AssertionError(f"not complete: {world.ro('p')}")


@pytest.mark.parametrize("bounds", [{}, {"low": 0}, {"low": 0, "high": 0}], ids=["no bounds", "minScale 0", "0/0"])
def test_what_cannot_run_gets_no_traffic_and_the_old_revision_is_not_lowered(bounds: dict[str, int]) -> None:
    world = service_p(
        initialRevisions=[entry("p-1", 100, **bounds)],
        targetRevisions=[entry("p-2", 100, **bounds)],
        rolloutStrategy="availability",
    )
    world.settle()
    first = world.stage("p")
    minutes(world)
    assert world.bounds("p-1") == (bounds.get("low"), bounds.get("high")), "not lowered"
    assert world.stage("p") == first, "no later stage is planned"
    assert first["p-2"][0] is not None
    assert first["p-2"][0] < 100
    assert not {"ScaledUp", "StageComplete", "RolloutComplete"} & set(world.reasons())
    assert world.condition("Ready", "p")[0] == "Unknown"


@pytest.mark.parametrize("bounds", [{}, {"low": 0}], ids=["no bounds", "minScale 0"])
def test_where_down_comes_first_the_stage_is_not_done_before_the_new_revision_runs(bounds: dict[str, int]) -> None:
    world = service_p(
        initialRevisions=[entry("p-1", 100, **bounds)],
        targetRevisions=[entry("p-2", 100, **bounds)],
        rolloutStrategy="resourceutil",
    )
    world.settle()
    first = world.stage("p")
    world.scale("p-1", first["p-1"][1], service="p", conditions=[condition("Ready", "True"), STARTED])
    minutes(world)
    assert world.stage("p") == first
    assert world.condition("StageScaleDownReady", "p")[0] == "True"
    assert world.condition("StageScaleUpReady", "p")[0] == "Unknown"
    assert not {"ScaledUp", "StageComplete", "RolloutComplete"} & set(world.reasons())
    shows(world, 1)
    assert "StageComplete" in world.reasons()
    assert world.stage("p") != first


def test_conditions_and_event_say_what_is_waited_for() -> None:
    world = service_p().settle()
    for type_ in ("StageScaleUpReady", "StageReady", "Ready"):
        assert world.condition(type_, "p") == ("Unknown", "StageRevisionStart")
        assert world.condition_message(type_, "p") == f"Rolling out a new stage: {WHY}."
    assert minutes(world.forget(), 1).written() == [], "nothing changes, so nothing is written"
    assert f"Normal Waiting: scaling up: waiting for p-2 to run 1 replica: {WHY}" in world.emitted()


@pytest.mark.parametrize("strategy", BOTH)
def test_once_it_runs_the_rollout_goes_on_to_its_end(strategy: str) -> None:
    world = minutes(service_p(rolloutStrategy=strategy))
    until_complete(world)
    assert world.bounds("p-1") == (0, 1)
    assert world.reasons()[-1] == "RolloutComplete"
    assert world.forget().settle().written() == []


# Paths without planned stages


def without_stages(path: str) -> World:
    """p-1 runs nine replicas and p-2 cannot run; the rollout reaches its last stage at once."""
    if path == "two new targets":
        world = service_p(targetRevisions=[entry("p-2", 50), entry("p-3", 50)])
        world.revision("p-3", "p")
        world.scale("p-3", 1, service="p")
    elif path == "old and new":
        world = service_p(
            initialRevisions=[entry("p-1", 100, 2, 12)], targetRevisions=[entry("p-1", 50, 1, 5), entry("p-2", 50)]
        )
    elif path == "no stages":
        world = service_p()
        world.settings(progressive_rollout_enabled="false")
    elif path == "no start":
        world = service_p(initialRevisions=[])
    elif path == "the start is the target":
        world = service_p(initialRevisions=[entry("p-2", 100)])
    else:
        raise AssertionError(path)
    world.spa_object("p-1", "p", stageMinScale=2, stageMaxScale=12)
    return world


PATHS = ("two new targets", "old and new", "no stages", "no start", "the start is the target")


@pytest.mark.parametrize("path", PATHS)
def test_on_every_path_the_old_revision_is_not_lowered_before_what_is_to_get_traffic_runs(path: str) -> None:
    world = minutes(without_stages(path))
    low, high = world.bounds("p-1")
    assert (low or 2, high or 12) == (2, 12)
    assert world.condition("Ready", "p")[0] == "Unknown"
    assert WHY in world.condition_message("StageScaleUpReady", "p")
    assert not {"ScaledUp", "StageComplete", "RolloutComplete"} & set(world.reasons())


@pytest.mark.parametrize("path", PATHS)
def test_on_every_path_the_rollout_ends_once_it_runs(path: str) -> None:
    world = shows(minutes(without_stages(path)), 1)
    lowered = (1, 5) if path == "old and new" else (0, 1)
    assert world.bounds("p-1") == lowered
    world.scale("p-1", lowered[0], service="p", conditions=[STARTED])
    world.settle()
    assert world.condition("Ready", "p") == ("True", "")


def test_a_changed_rollout_is_not_complete_over_a_revision_that_does_not_run() -> None:
    world = shows(service_p(initialRevisions=[], targetRevisions=[entry("p-2", 100)]), 1)
    assert world.condition("Ready", "p") == ("True", "")
    world.scale("p-2", 0, 1, service="p", conditions=[UNREADY, STARTED])
    assert world.settle().condition("Ready", "p") == ("True", ""), "what is done is done"
    ro = world.ro("p")
    ro["metadata"]["generation"] += 1
    world.edit("p", targetRevisions=[entry("p-2", 100, 0, 10)])
    world.settle()
    assert world.condition("Ready", "p")[0] == "Unknown"
    assert shows(world, 1).condition("Ready", "p") == ("True", "")


# Zero replicas on purpose


@pytest.mark.parametrize("strategy", BOTH)
@pytest.mark.parametrize("known", ["PodAutoscaler", "Revision", "nothing"])
def test_a_service_that_stands_at_zero_is_rolled_out(known: str, strategy: str) -> None:
    world = service_p(rolloutStrategy=strategy)
    world.scale("p-1", 0, service="p")
    world.scale("p-2", 0, service="p", conditions=[STARTED] if known == "PodAutoscaler" else [])
    if known == "Revision":
        world.revision_says("p-2", condition("Ready", "True"))
    world.settle()
    assert world.condition("Ready", "p") == ("True", "")
    assert "Normal RolloutComplete: p-2 100% of traffic, 0 replicas" in world.emitted()


@pytest.mark.parametrize("strategy", BOTH)
@pytest.mark.parametrize("speaker", ["PodAutoscaler", "Revision"])
def test_one_that_never_ran_is_waited_for_until_a_condition_says_that_it_did(speaker: str, strategy: str) -> None:
    world = service_p(rolloutStrategy=strategy)
    world.scale("p-1", 0, service="p")
    world.scale("p-2", 0, service="p", conditions=[NEVER_STARTED])
    world.revision_says("p-2", condition("Ready", "Unknown", "Deploying"))
    minutes(world)
    assert world.condition("Ready", "p")[0] == "Unknown"
    why = "p-2 runs no replica yet (Revision: Deploying)"
    assert world.condition_message("StageScaleUpReady", "p") == f"Rolling out a new stage: {why}."
    if speaker == "Revision":
        world.revision_says("p-2", condition("Ready", "True"))
    else:
        world.scale("p-2", 0, service="p", conditions=[STARTED])
    assert world.settle().condition("Ready", "p") == ("True", "")


@pytest.mark.parametrize("strategy", BOTH)
def test_a_rollback_leads_to_a_revision_that_was_scaled_to_zero(strategy: str) -> None:
    world = until_complete(service_p(rolloutStrategy=strategy))
    assert world.bounds("p-1") == (0, 1)
    world.scale("p-1", 0, service="p", conditions=[condition("Ready", "False", "NoTraffic"), STARTED])
    world.edit("p", targetRevisions=[entry("p-1", 100)])
    until_complete(world)
    assert world.ro("p")["status"]["stageRevisionStatus"][-1]["revisionName"] == "p-1"
    assert world.bounds("p-2") == (0, 1)


def test_a_percent_of_nothing_need_not_run() -> None:
    world = service_p(targetRevisions=[entry("p-1", 100), entry("p-2", 0, tag="candidate")])
    assert world.settle().condition("Ready", "p") == ("True", "")


def test_nothing_is_lowered_for_replicas_that_a_stored_status_shows_and_the_pod_autoscaler_does_not() -> None:
    world = World()
    for name in ("p-1", "p-2"):
        world.revision(name, "p")
    world.scale("p-1", 4, service="p")
    world.scale("p-2", 0, service="p")
    lists: dict[str, Any] = {
        "initialRevisions": [entry("p-1", 100, 4, 10)],
        "targetRevisions": [entry("p-2", 100, 4, 10)],
    }
    world.rollout("p", **lists, rolloutStrategy="availability")
    world.settle()
    stored = world.spa("p-2")
    # What a former leader saw; since then the replica has ended.
    stored["status"] |= {"desiredScale": 1, "actualScale": 1}
    world.api.put(STAGE_POD_AUTOSCALERS, stored)
    world.api.fail = lambda request: (
        ApiError(request.call, "later", status=503) if request.path.endswith("p-2/status") else None
    )
    world.start()
    world.settle()
    assert world.bounds("p-1") == (4, 10)
    world.api.fail = lambda request: None
    world.clock.advance(60)
    world.settle()
    assert world.bounds("p-1") == (4, 10)
    world.scale("p-2", 1, service="p")
    world.settle()
    assert world.bounds("p-1") == (3, 3)
