"""A small model of upstream's stage rules on plain JSON, from their recorded description; imports nothing of ours.

Deliberate differences are judged against it, so it says things in its own way and not in ours.
"""

from typing import Any

Json = Any
LARGEST = 2**31 - 1


class Panic(Exception):
    """Upstream panics here: ``field`` is the absent one."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def direction(revision: Json) -> str:
    """Normalised: up, down, or something that is neither."""
    word: str = revision.get("direction", "").strip().lower()
    return "up" if word == "" else word


def spec_of(minimum: int | None, maximum: int | None) -> Json:
    spec = {"stageMinScale": minimum, "stageMaxScale": maximum}
    return {key: value for key, value in spec.items() if value is not None}


def up_spec(revision: Json) -> Json:
    """update_spa_for_rev_up."""
    minimum, target = revision.get("minScale"), revision.get("targetReplicas")
    if target is not None and target < (0 if minimum is None else minimum):
        if "percent" not in revision:
            raise Panic("percent")
        if revision["percent"] < 100:
            minimum = target
    return spec_of(minimum, revision.get("maxScale"))


def down_spec(spec: Json, revision: Json, scale_up_ready: bool) -> Json:
    """update_spa_for_rev_down, rule by rule."""
    minimum, maximum, target = (revision.get(key) for key in ("minScale", "maxScale", "targetReplicas"))
    if not scale_up_ready:
        return spec
    if not revision.get("revisionName", "").strip():
        return spec
    if revision.get("percent") is None:
        return spec_of(0, 1)
    if target is None or target >= (LARGEST if maximum is None else maximum):
        return spec_of(minimum, maximum)
    if target == 0:
        return spec_of(0, 1)
    if minimum is not None and target < minimum:
        minimum = target
    return spec_of(minimum, target)


def up_ready(status: Json, revision: Json) -> bool:
    """is_stage_scale_up_ready."""
    desired, actual = status.get("desiredScale"), status.get("actualScale")
    if desired is None or actual is None:
        return False
    minimum, maximum = revision.get("minScale", 0), revision.get("maxScale", LARGEST)
    target = revision.get("targetReplicas")
    if target is None:
        return bool(minimum <= actual <= maximum)
    wanted = target if minimum >= target else minimum
    return bool(desired >= wanted and actual >= wanted)


def runs_nothing(status: Json, revision: Json, conditions: Json) -> bool:
    """What ready-runs does not accept: it is to get traffic, and wants replicas and has none, or reports neither.

    Or it wants none and has none, and all of its ``conditions``, the status of one condition of its PodAutoscaler and
    one of its Revision, is not True.
    """
    if revision.get("percent", 0) < 1:
        return False
    desired, actual = status.get("desiredScale"), status.get("actualScale")
    if desired is None or actual is None:
        return True
    never_ran = len(conditions) > 0 and "True" not in conditions.values()
    return bool(actual < 1 and (desired > 0 or never_ran))


def down_ready(status: Json, revision: Json) -> bool:
    """is_stage_scale_down_ready."""
    desired, actual = status.get("desiredScale"), status.get("actualScale")
    if desired is None or actual is None:
        return False
    limit = revision.get("targetReplicas", revision.get("maxScale"))
    return bool(limit is None or (desired <= limit and actual <= limit))


def unlimited(revision: Json) -> Json:
    """The entry without its maximum of 0, which is upstream's input under zero-max."""
    return {key: value for key, value in revision.items() if (key, value) != ("maxScale", 0)}


def unlimited_down_spec(spec: Json, revision: Json, scale_up_ready: bool) -> Json:
    """down_spec with zero-max: as without a maximum, but where the maximum is copied, the 0 is."""
    changed = down_spec(spec, unlimited(revision), scale_up_ready)
    copied = changed is not spec and "stageMaxScale" not in changed and revision.get("maxScale") == 0
    return {**changed, "stageMaxScale": 0} if copied else changed


def without_idle(revisions: Json) -> Json:
    """removeNonTraffic."""
    kept = [dict(r) for r in revisions if r.get("percent") or ("percent" in r and r.get("latestRevision") is True)]
    staying = [revision for revision in kept if revision.get("direction") == "stay"]
    if len(kept) != len(revisions) and staying:
        staying[-1]["direction"] = "down"
    return kept


def last_stage_complete(reached: Json, final: Json) -> bool:
    """lastStageComplete."""
    if reached == final:
        return True
    if not final:
        raise Panic("spec.targetRevisions")
    if "percent" not in final[0]:
        raise Panic("spec.targetRevisions[0].percent")
    last = (final[0].get("revisionName", ""), 100)
    return final[0]["percent"] == 100 and last in [(r.get("revisionName", ""), r.get("percent")) for r in reached]


def by_direction(revisions: Json, which: str) -> dict[str, Json]:
    """One half of upDown: the last entry of a name wins."""
    return {r.get("revisionName", ""): r for r in revisions if direction(r) == which}
