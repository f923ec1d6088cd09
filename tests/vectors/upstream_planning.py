"""A small model of upstream's planning on plain JSON, from its recorded description; imports nothing of planning.

Every function takes the names of the deliberate differences that it should apply; with none it is upstream. So the
condition and the property of a difference both follow from comparing the model with it to the model without it.
"""

import math
from typing import Any

from tests.vectors.upstream_entries import together

Json = Any
Revision = dict[str, Json]
Rules = frozenset[str]

UPSTREAM: Rules = frozenset()


class Panic(Exception):
    """Upstream panics here. Applied, no-panic makes it the error whose name is given."""

    def __init__(self, becomes: str) -> None:
        super().__init__(becomes)
        self.becomes = becomes


class Failure(Exception):
    """Upstream returns an error here."""


class Undefined(Exception):
    """Upstream divides by zero here and makes an integer of it."""


INVALID, UNSEEN = "InvalidRollout", "MissingObservation"


class Gauge:
    """The revision that replicas are counted by, and what was counted on the way."""

    def __init__(self, replicas: int, traffic: int, known: dict[str, int]) -> None:
        self.replicas, self.traffic, self.known = replicas, traffic, known


def quotient(a: int, b: int, divisor: int) -> float:
    """a * b / divisor in double precision, with the infinities that Python refuses."""
    dividend = float(a) * float(b)
    if divisor == 0:
        return math.nan if dividend == 0 else math.copysign(math.inf, dividend)
    return dividend / float(divisor)


def gauge_of(revisions: list[Revision], scales: dict[str, Json], spas: list[str]) -> Gauge:
    """Step 7."""
    gauge: Gauge | None = None
    known: dict[str, int] = {}
    for revision in revisions:
        if revision.get("direction") == "stay" or revision.get("percent") is None:
            continue
        name, percent = revision.get("revisionName", ""), revision["percent"]
        if name not in scales:
            raise Failure(f"no pod autoscaler {name}")
        replicas = scales[name]
        if replicas is None:
            raise Panic(UNSEEN)
        minimum = revision.get("minScale")
        if name not in spas and minimum is not None and replicas <= minimum:
            product = minimum * percent
            replicas = product // 100 if product >= 0 else -(-product // 100)
        known[name] = replicas
        if percent == 0:
            continue
        if gauge is None:
            gauge = Gauge(replicas, percent, known)
            continue
        density, best = quotient(replicas, 1, percent), quotient(gauge.replicas, 1, gauge.traffic)
        if (density > best) if name in spas else (density < best):
            gauge = Gauge(replicas, percent, known)
    if gauge is None:
        raise Failure("nothing to count replicas by")
    return gauge


def status_of(ro: Json, kind: str) -> str:
    conditions = ro.get("status", {}).get("conditions", [])
    return next((str(c.get("status", "")) for c in conditions if c["type"] == kind), "Unknown")


def put(members: Revision, **changes: Json) -> Revision:
    """The object with these members; None, an empty list and an empty string take a member away."""
    changed = {**members, **changes}
    return {key: value for key, value in changed.items() if value is not None and value not in ("", [])}


def held(ratio: int, rules: Rules) -> int:
    return min(max(ratio, 1), 100) if "ratio-range" in rules else ratio


def normalised(word: str, rules: Rules) -> str:
    """What a strategy is read as."""
    if "strategy-spelling" not in rules:
        return word.lower()
    return "resourceutil" if word.strip().lower() == "resourceutil" else "availability"


def words(ro: Json, config: Json) -> tuple[str, str, str]:
    """The strategy of the annotation, of the spec, of the configuration."""
    annotations = ro.get("metadata", {}).get("annotations", {})
    annotated = annotations.get("rollout.knative.dev/progressive-rollout-strategy", "")
    return annotated, ro.get("spec", {}).get("rolloutStrategy", ""), config.get("progressiveRolloutStrategy", "")


def strategy_in_force(ro: Json, config: Json, rules: Rules) -> str:
    annotated, specified, configured = words(ro, config)
    if "stated-strategy" in rules:
        configured = next((word for word in (annotated, specified) if word.strip()), configured)
    return normalised(configured, rules)


def has_failed(ro: Json) -> bool:
    generation, observed = ro["metadata"].get("generation", 0), ro.get("status", {}).get("observedGeneration", 0)
    return status_of(ro, "StageReady") == "False" and bool(generation == observed)


def plan(given: Json, rules: Rules = UPSTREAM) -> Json:
    """``updateRolloutOrchestrator``: from the input of a plan_stages row to what is expected of it.

    With no-panic, a panic becomes ``{"raised": name of the error}``.
    """
    ro, config = given["ro"], given["config"]
    spec = ro.get("spec", {})
    if "failed-stays" in rules and has_failed(ro):
        return answered(spec, spec, None, False)
    word = strategy_in_force(ro, config, rules)
    if "stated-strategy" in rules and spec.get("rolloutStrategy", "").strip():
        word = spec["rolloutStrategy"]
    after = put(spec, rolloutStrategy=word)
    targets, initial = (merged(spec.get(key, []), rules) for key in ("targetRevisions", "initialRevisions"))
    if len(targets) != 1 or not config.get("progressiveRolloutEnabled", False):
        return answered(spec, after, spec.get("targetRevisions", []), False)
    absent = not spec.get("stageTargetRevisions")
    if not absent and not (status_of(ro, "StageReady") == "True" and status_of(ro, "LastStageReady") != "True"):
        return answered(spec, after, None, False)
    if [put(r, tag=None, url=None) for r in initial] == [put(targets[0], tag=None, url=None)]:
        return answered(spec, after, targets, True)
    start = start_of(ro, absent, targets[0].get("revisionName", ""), rules)
    if not start:
        return answered(spec, after, targets, False)
    listed = None
    if held(config["overConsumptionRatio"], rules) >= 100:
        listed = [put(r, direction="down", latestRevision=False, percent=None) for r in start] + targets
    try:
        stage = stage_after(start, targets[0], given, rules)
    except Failure:
        return {**answered(spec, after, listed, False), "error": True}
    except Panic as panic:
        return {"raised": panic.becomes} if "no-panic" in rules else {"panic": True}
    return answered(spec, after, listed if stage is None else stage, True)


def answered(before: Json, after: Json, stage: list[Revision] | None, time_is_set: bool) -> Json:
    spec = put(after, targetFinishTime=None)
    if stage is not None:
        spec = put(spec, stageTargetRevisions=stage)
    return {"error": False, "spec": spec, "targetFinishTimeSet": time_is_set or "targetFinishTime" in before}


def merged(revisions: list[Revision], rules: Rules) -> list[Revision]:
    return together(revisions) if "tag-entries" in rules else revisions


def start_of(ro: Json, absent: bool, target: str, rules: Rules) -> list[Revision]:
    """Step 5."""
    start = ro.get("status", {}).get("stageRevisionStatus", [])
    if not start or absent:
        start = ro.get("spec", {}).get("initialRevisions", [])
    start = [r for r in merged(start, rules) if r.get("percent") != 0]
    if "rollback-found" not in rules or not absent:
        return start
    if target in [r.get("revisionName", "") for r in start]:
        start = [put(r, direction=None, targetReplicas=None) for r in start]
    return [r for r in start if r.get("percent") is not None]


def stage_after(start: list[Revision], target: Revision, given: Json, rules: Rules) -> list[Revision] | None:
    """Steps 7 to 11; None where the stage stays as it is."""
    scales, ratio = given["podAutoscalers"], held(given["config"]["overConsumptionRatio"], rules)
    gauge = gauge_of(start, scales, given["spas"])
    name = target.get("revisionName", "")
    if gauge.replicas == 0:
        return [target]
    if len(start) == 1 and name in gauge.known:
        return [target] if "same-revision" in rules else None
    step = math.floor(quotient(gauge.replicas, ratio, gauge.traffic)) or 1
    percent_step = math.ceil(quotient(step, gauge.traffic, gauge.replicas))
    if name in gauge.known:
        stage = found(list(start), name, gauge, step, percent_step)
    else:
        stage = appended(list(start), target, gauge, step, percent_step)
    return [not_above(r, scales) for r in stage] if "down-never-up" in rules else stage


def not_above(revision: Revision, scales: dict[str, Json]) -> Revision:
    runs = scales.get(revision.get("revisionName", "")) or 0
    if revision["direction"] != "down" or runs <= 0:
        return revision
    return put(revision, targetReplicas=min(revision["targetReplicas"], runs))


def found(stage: list[Revision], name: str, gauge: Gauge, step: int, percent_step: int) -> list[Revision]:
    """Step 10."""
    last = len(stage) - 1
    at = next(i for i, r in enumerate(stage) if r.get("revisionName", "") == name)
    up, down = (last, last - 1) if at == last else (at, last)
    stage = [r if i in (up, down) else put(r, direction="stay") for i, r in enumerate(stage)]
    going_up, going_down = stage[up], stage[down]
    if going_down.get("percent") is None or going_up.get("percent") is None:
        raise Panic(INVALID)
    all_of_it = going_down["percent"] <= percent_step
    moved = going_down["percent"] if all_of_it else percent_step
    percent = going_up["percent"] + moved
    replicas = min(gauge.known[name] + step, math.floor(quotient(gauge.replicas, percent, gauge.traffic)))
    if all_of_it and percent == 100:
        replicas = max(replicas, going_up.get("minScale", replicas))
    stage[up] = put(going_up, direction="up", percent=percent, targetReplicas=replicas)
    stage[down] = lowered(going_down, gauge, step, moved)
    return stage


def lowered(revision: Revision, gauge: Gauge, step: int, moved: int) -> Revision:
    left = revision["percent"] - moved
    if left == 0:
        return put(revision, direction="down", tag=None, percent=None, targetReplicas=0)
    least = math.ceil(quotient(gauge.replicas, left, gauge.traffic))
    replicas = max(gauge.known.get(revision.get("revisionName", ""), 0) - step, least)
    return put(revision, direction="down", tag=None, percent=left, targetReplicas=replicas)


def appended(stage: list[Revision], target: Revision, gauge: Gauge, step: int, percent_step: int) -> list[Revision]:
    """Step 11."""
    going_down = stage[-1]
    for index, revision in enumerate(stage[:-1]):
        replicas, minimum = revision.get("targetReplicas"), revision.get("minScale")
        if replicas is not None and minimum is not None and replicas < minimum:
            replicas = None
        stage[index] = put(revision, direction="stay", latestRevision=False, tag=None, targetReplicas=replicas)
    if going_down.get("percent") is None:
        raise Panic(INVALID)
    all_of_it = going_down["percent"] <= percent_step
    moved = going_down["percent"] if all_of_it else percent_step
    replicas = step
    if all_of_it:
        replicas = math.floor(quotient(gauge.replicas, moved, gauge.traffic))
        if moved == 100:
            replicas = max(replicas, target.get("minScale", replicas))
    stage[-1] = put(lowered(going_down, gauge, step, moved), latestRevision=False)
    entry: Revision = {key: target[key] for key in ("revisionName", "minScale", "maxScale") if key in target}
    return [*stage, put(entry, direction="up", latestRevision=True, percent=moved, targetReplicas=replicas)]
