"""Invented inputs of planning, in the form of the recorded rows; chance is passed in."""

from itertools import pairwise
from random import Random
from typing import Any

Json = Any
Row = dict[str, Json]

REPLICAS = (0, 1, 1, 2, 3, 3, 5, 8, 10, 13, 20, 33, 50, 100, 2147483647)
PERCENTS = (0, 1, 2, 5, 10, 20, 33, 34, 50, 66, 67, 80, 90, 99, 100)
DIRECTIONS = ("", "up", "down", "stay", "stay", " up ", "Down", "STAY", "sideways")
STRATEGIES = ("availability", "resourceutil", "resourceUtil", "Availability", "", " resourceutil ", "whatever")
RATIOS = (1, 2, 5, 10, 10, 20, 33, 50, 75, 99, 100, 0, -3, 101, 120, 250)
STATUSES = ("True", "True", "True", "Unknown", "Unknown", "False")


def chance(random: Random, share: float) -> bool:
    return random.random() < share


def put(members: Row) -> Row:
    return {key: value for key, value in members.items() if value is not None and value != ""}


def entry(random: Random, name: str, **members: Json) -> Row:
    """An entry with anything in it."""
    anything = {
        "revisionName": name,
        "percent": random.choice(PERCENTS) if chance(random, 0.9) else None,
        "direction": random.choice(DIRECTIONS) if chance(random, 0.5) else None,
        "targetReplicas": random.choice(REPLICAS) if chance(random, 0.5) else None,
        "minScale": random.choice(REPLICAS[:-1]) if chance(random, 0.5) else None,
        "maxScale": random.choice(REPLICAS) if chance(random, 0.4) else None,
        "latestRevision": random.choice((True, False)) if chance(random, 0.7) else None,
        "tag": "blue" if chance(random, 0.1) else None,
        "url": "http://blue.example.com" if chance(random, 0.05) else None,
        "configurationName": "hello" if chance(random, 0.05) else None,
    }
    return put({**anything, **members})


def entries(random: Random, names: list[str], most: int = 4) -> list[Row]:
    return with_repeats(random, [entry(random, name) for name in random.sample(names, random.randint(0, most))])


def with_repeats(random: Random, listed: list[Row]) -> list[Row]:
    """The list, at times with another entry of a revision that it names, as tags make them."""
    if not listed or chance(random, 0.8):
        return listed
    again = entry(random, random.choice(listed)["revisionName"], tag=random.choice(("green", "", "")))
    at = random.randint(0, len(listed))
    return [*listed[:at], again, *listed[at:]]


def shares(random: Random, count: int) -> list[int]:
    """Percents above 0 that add up to 100."""
    cuts = [0, *sorted(random.sample(range(1, 100), count - 1)), 100]
    return [after - before for before, after in pairwise(cuts)]


def sound_start(random: Random, names: list[str]) -> list[Row]:
    """A list as a real rollout has it."""
    chosen = sorted(random.sample(names, random.randint(1, 3)))
    sound = [
        entry(random, name, percent=percent, direction="", targetReplicas=None, tag=None)
        for name, percent in zip(chosen, shares(random, len(chosen)), strict=True)
    ]
    return with_repeats(random, sound) if chance(random, 0.5) else sound


def conditions(random: Random) -> list[Row]:
    kinds = ("LastStageReady", "Ready", "StageReady")
    return [{"type": kind, "status": random.choice(STATUSES)} for kind in kinds if chance(random, 0.85)]


def rollout(random: Random, names: list[str]) -> Row:
    """An RO, sound or not."""
    lists = [sound_start if chance(random, 0.6) else entries for _ in range(3)]
    initial, stage, recorded = (make(random, names) for make in lists)
    target = entry(random, random.choice(names), direction="", targetReplicas=None, tag=None)
    if chance(random, 0.8):
        target |= {"percent": 100, "latestRevision": True}
    targets = with_repeats(random, [target]) if chance(random, 0.93) else entries(random, names, 2)
    if chance(random, 0.04):
        initial = [dict(target)]
    spec = {
        "initialRevisions": initial,
        "targetRevisions": targets,
        "stageTargetRevisions": stage if chance(random, 0.5) else [],
        "rolloutStrategy": random.choice(STRATEGIES) if chance(random, 0.3) else "",
        "targetFinishTime": "2024-05-01T11:00:00Z" if chance(random, 0.3) else None,
    }
    status = {
        "conditions": conditions(random),
        "stageRevisionStatus": recorded if chance(random, 0.7) else [],
        "observedGeneration": random.choice((0, 1, 2)),
    }
    metadata: Row = {"name": "hello", "namespace": "default", "generation": random.choice((1, 2))}
    if chance(random, 0.1):
        metadata["annotations"] = {"rollout.knative.dev/progressive-rollout-strategy": random.choice(STRATEGIES)}
    spec = {key: value for key, value in put(spec).items() if value != []}
    status = {key: value for key, value in status.items() if value not in ([], 0)}
    return {"metadata": metadata, "spec": spec, "status": status}


def config(random: Random) -> Row:
    return {
        "overConsumptionRatio": random.choice(RATIOS),
        "progressiveRolloutEnabled": chance(random, 0.95),
        "progressiveRolloutStrategy": random.choice(STRATEGIES),
        "stageRolloutTimeoutMinutes": random.choice((0, 1, 2, 10, -5)),
        "rolloutDuration": random.choice(("0", "0", "0", "10m", "")),
    }


def names_of(random: Random) -> list[str]:
    return [f"hello-{number:05d}" for number in range(1, random.randint(5, 6))]


def scales(random: Random, names: list[str]) -> Row:
    """The actual scale by name: sometimes absent, rarely unknown."""
    sizes = {name: random.choice((0, *REPLICAS[:-1])) for name in names if chance(random, 0.96)}
    return {name: None if chance(random, 0.03) else size for name, size in sizes.items()}


def plan_input(random: Random) -> Row:
    names = names_of(random)
    return {
        "ro": rollout(random, names),
        "config": config(random),
        "podAutoscalers": scales(random, names),
        "spas": sorted(name for name in names if chance(random, 0.7)),
    }


def shift_input(random: Random) -> Row:
    names = names_of(random)
    if chance(random, 0.3):
        stage = entries(random, names)
    else:
        stage = sound_start(random, names)
        for revision in stage:
            revision["direction"] = random.choice(("up", "down", "down", "stay"))
            revision["targetReplicas"] = random.choice(REPLICAS)
    return {
        "revisionTarget": stage,
        "ratio": random.choice(RATIOS),
        "podAutoscalers": scales(random, names),
        "spas": sorted(name for name in names if chance(random, 0.7)),
    }


def traffic_input(random: Random) -> Row:
    names = names_of(random)
    own = [{"percent": 50, "latestRevision": True}] * random.choice((0, 0, 1, 2))
    return {
        "service": {"metadata": {"name": "hello", "namespace": "default"}, "spec": {"traffic": own} if own else {}},
        "ro": rollout(random, names),
        "config": config(random),
        "spas": scales(random, names),
    }


def update_input(random: Random) -> Row:
    """The input of a restart, with the end list under ``finalTargetRevision``."""
    names = names_of(random)
    ro = rollout(random, names)
    final = [entry(random, random.choice(names), percent=100, direction="", targetReplicas=None, tag=None)]
    if chance(random, 0.3):
        final = [{**r, "percent": r.get("percent", 100)} for r in ro["spec"].get("targetRevisions", [])] or final
    return {
        "ro": ro,
        "finalTargetRevision": final,
        "route": random.choice((None, {"status": {}}, *[{"status": {"traffic": [{"percent": 100}]}}] * 4)),
        "deployments": [deployment(random, name) for name in names if chance(random, 0.7)],
    }


def deployment(random: Random, revision: str) -> Row:
    service = "hello" if chance(random, 0.9) else "other"
    labels = {"serving.knative.dev/service": service, "serving.knative.dev/revision": revision}
    return {
        "metadata": {"name": f"{revision}-deployment", "namespace": "default", "labels": labels},
        "spec": {"replicas": random.choice((0, 1, 3))} if chance(random, 0.9) else {},
        "status": {"availableReplicas": random.choice((0, 1, 2, 3, 4))} if chance(random, 0.9) else {},
    }
