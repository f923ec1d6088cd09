"""Invented rollouts, in the form of the recorded traces; chance is passed in."""

import math
from random import Random
from typing import Any

from tests.planning.invented import chance, shares

Json = Any
Row = dict[str, Json]

SIZES = (1, 1, 2, 3, 4, 5, 7, 10, 12, 20, 30)
RATIOS = (1, 2, 5, 5, 8, 10, 10, 20, 25, 33, 47, 50, 75, 76, 90, 100)


def bounds(random: Random, size: int) -> Row:
    """Bounds around a size; the wider a rollout's bounds, the less they decide."""
    low = random.choice((None, 1, max(1, size // 2), size))
    high = random.choice((None, None, size, size + 5, 2 * size, 4 * size))
    return {key: value for key, value in (("minScale", low), ("maxScale", high)) if value is not None}


def rollout(random: Random, modes: tuple[str, ...] = ("demand", "demand", "bounds", "sticky")) -> Row:
    """One revision, or a few with a split of the traffic, to a new one; sometimes another target comes in between."""
    size, count = random.choice(SIZES), random.choice((1, 1, 1, 2, 2, 3))
    usual, exists = bounds(random, size), chance(random, 0.5)
    initial = [
        started(random, number, percent, size, usual, exists) for number, percent in enumerate(shares(random, count), 1)
    ]
    mode = random.choice(modes)
    autoscaler: Row = {"mode": mode, "bounds": random.choice(("stage", "combined")), "totalDemand": size}
    if mode != "demand":
        del autoscaler["totalDemand"]
    row = {
        "service": "hello",
        "namespace": "default",
        "initial": initial,
        "target": target(random, count + 1, size, usual),
        "config": {
            "overConsumptionRatio": random.choice(RATIOS),
            "progressiveRolloutEnabled": True,
            "progressiveRolloutStrategy": random.choice(("availability", "resourceUtil")),
            "stageRolloutTimeoutMinutes": 2,
        },
        "autoscaler": autoscaler,
        "maxTicks": 200,
    }
    if chance(random, 0.25):
        back_or_on = random.choice((1, count + 2, count + 2))
        row |= {"secondTarget": target(random, back_or_on, size, usual), "secondTargetAtTick": random.randint(2, 20)}
    return row


def name_of(number: int) -> str:
    return f"hello-{number:05d}"


def started(random: Random, number: int, percent: int, size: int, usual: Row, exists: bool) -> Row:
    own = usual if chance(random, 0.8) else bounds(random, size)
    runs = max(math.ceil(size * percent / 100), own.get("minScale", 0))
    runs = min(runs, own.get("maxScale", runs))
    return {"name": name_of(number), "percent": percent, "actualScale": runs, "spaExists": exists, **own}


def target(random: Random, number: int, size: int, usual: Row) -> Row:
    return {"name": name_of(number), **(usual if chance(random, 0.8) else bounds(random, size))}
