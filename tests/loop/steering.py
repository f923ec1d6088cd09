"""What people do to steer a rollout, and a world in which it goes on or stands still."""

from collections.abc import Mapping
from typing import Any

from tests.loop.world import World, autoscale, carry, two_revisions
from webhook.api.steering import ABORT, ABORT_BY, ABORT_REASON, PAUSE, PAUSE_BY
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS

BY_ALICE = {PAUSE: "load test", PAUSE_BY: "alice"}
BY_BOB = {ABORT: "hello-00002=100", ABORT_BY: "bob", ABORT_REASON: "errors"}


def annotate(world: World, annotations: Mapping[str, str | None]) -> World:
    """What ``kubectl annotate`` does; None removes."""
    ro = world.ro()
    kept = {**(ro["metadata"].get("annotations") or {}), **annotations}
    metadata = {**ro["metadata"], "annotations": {key: text for key, text in kept.items() if text is not None}}
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "metadata": metadata})
    return world


def annotations(world: World) -> dict[str, str]:
    return dict(world.ro()["metadata"].get("annotations") or {})


def recorded(world: World, key: str) -> str | None:
    text: str | None = (world.ro()["status"].get("annotations") or {}).get(key)
    return text


def turns(world: World, count: int, demand: int = 4) -> World:
    for _ in range(count):
        world.settle()
        autoscale(world, demand)
        world.clock.advance(1)
    return world.settle()


def until_stage(world: World, number: int, demand: int = 4) -> World:
    """Carry a rollout until so many stages have begun."""
    return carry(world, demand, until=lambda: world.reasons().count("StageStarted") >= number)


def complete(world: World, demand: int = 4, condition: tuple[str, str] = ("True", "")) -> World:
    """Carry a rollout until it is Ready with this status and reason."""
    return carry(world, demand, ticks=80, until=lambda: world.condition("Ready") == condition)


def rolling(strategy: str = "availability", **spec: Any) -> World:
    """A rollout of stages of 25 percent."""
    world = World()
    world.settings(over_consumption_ratio="25")
    return two_revisions(world, rolloutStrategy=strategy, **spec)
