"""A revision gets traffic once it has shown that it can run: without min-scale, and on paths without stages."""

from typing import Any

import pytest

from tests.loop.world import World, entry, said

UNREADY = said("Ready", "False", "ImagePullBackOff", 'Back-off pulling image "registry.invalid/p:2"')
STARTED = said("ScaleTargetInitialized", "True")
NEVER_STARTED = said("ScaleTargetInitialized", "Unknown")
WHY = 'p-2 runs no replica yet (PodAutoscaler: ImagePullBackOff: Back-off pulling image "registry.invalid/p:2")'
BOTH = ("availability", "resourceutil")


def service_p(**spec: Any) -> World:
    """p-1 runs nine replicas; p-2 is to follow it, and its image cannot be pulled. Neither states a min-scale."""
    world = World()
    world.revision("p-1", "p")
    world.revision("p-2", "p")
    world.scale("p-1", 9, service="p", conditions=[said("Ready", "True"), STARTED])
    world.scale("p-2", 0, 1, service="p", conditions=[UNREADY, NEVER_STARTED])
    stated = {"initialRevisions": [entry("p-1", 100)], "targetRevisions": [entry("p-2", 100)], **spec}
    world.rollout("p", **stated)
    return world


def minutes(world: World, count: int = 5) -> World:
    """Time goes by, and nothing else happens."""
    for _ in range(count):
        world.settle()
        world.clock.advance(60)
    return world.settle()


def shows(world: World, replicas: int, desired: int | None = None) -> World:
    """p-2 starts after all."""
    world.scale("p-2", replicas, desired, service="p", conditions=[said("Ready", "True"), STARTED])
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
            world.scale(name, wanted, service="p", conditions=[said("Ready", "True"), STARTED])
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
    world.scale("p-1", first["p-1"][1], service="p", conditions=[said("Ready", "True"), STARTED])
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
    assert f"Normal Waiting: scaling up: waiting for p-2 to run 1 replica: {WHY}" in world.told()
    assert minutes(world.forget(), 1).written() == [], "nothing changes, so nothing is written"


@pytest.mark.parametrize("strategy", BOTH)
def test_once_it_runs_the_rollout_goes_on_to_its_end(strategy: str) -> None:
    world = minutes(service_p(rolloutStrategy=strategy))
    until_complete(world)
    assert world.bounds("p-1") == (0, 1)
    assert world.reasons()[-1] == "RolloutComplete"
    assert world.forget().settle().written() == []
