"""A small model of upstream's shift of traffic after a time-out; imports nothing of planning."""

import math
from typing import Any

from tests.vectors.upstream_planning import (
    INVALID,
    UNSEEN,
    UPSTREAM,
    Failure,
    Gauge,
    Panic,
    Revision,
    Rules,
    Undefined,
    gauge_of,
    held,
    merged,
    put,
    quotient,
)

Json = Any


def shift(given: Json, rules: Rules = UPSTREAM) -> Json:
    """``shiftTrafficNextStage``: from the input of a row to what is expected of it."""
    try:
        return {"error": False, "revisionTarget": shifted(given, rules)}
    except Failure:
        return {"error": True}
    except Panic as panic:
        return {"raised": panic.becomes} if "no-panic" in rules else {"panic": True}
    except Undefined:
        return {"undefined": True}


def shifted(given: Json, rules: Rules) -> list[Revision]:
    revisions, ratio = list(merged(given["revisionTarget"], rules)), held(given["ratio"], rules)
    gauge = gauge_of(revisions, given["podAutoscalers"], given["spas"])
    up, down = up_and_down(revisions)
    measure = revisions[down if "shift-range" in rules else 0]
    percents = revisions[up].get("percent"), revisions[down].get("percent")
    if None in (*percents, measure.get("targetReplicas")):
        raise Panic(INVALID)
    to, come_from = revisions[up]["percent"], revisions[down]["percent"]
    amount = amount_of(gauge, revisions[down].get("revisionName", ""), measure["targetReplicas"], ratio, rules)
    if "shift-range" in rules:
        amount = max(0, min(amount, come_from, 100 - to))
        reached = to + amount
    else:
        reached = min(to + amount, 100)
    left = come_from - amount
    revisions[up] = put(revisions[up], percent=reached)
    revisions[down] = put(revisions[down], percent=left if left > 0 else None)
    return revisions


def amount_of(gauge: Gauge, name: str, target: int, ratio: int, rules: Rules) -> int:
    if gauge.replicas == 0 and "no-panic" in rules:
        raise Panic(UNSEEN)
    amount = quotient(gauge.known.get(name, 0) - target, gauge.traffic, gauge.replicas)
    if math.isnan(amount) or amount == -math.inf:
        raise Undefined
    return ratio if amount > ratio else math.ceil(amount)


def up_and_down(revisions: list[Revision]) -> tuple[int, int]:
    up = down = -1
    for index, revision in enumerate(revisions):
        direction = revision.get("direction", "")
        if direction in ("up", ""):
            up = index
        if direction == "down":
            down = index
        if up >= 0 and down >= 0:
            return up, down
    raise Failure("nothing goes up, or nothing goes down")
