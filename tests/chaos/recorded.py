"""What was recorded, read by code of the laws' own: an oracle never calls the code that it judges."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Wire = Mapping[str, Any]

REVISION_LABEL: Final = "serving.knative.dev/revision"
SERVICE_LABEL: Final = "serving.knative.dev/service"
STRATEGY_ANNOTATION: Final = "rollout.knative.dev/progressive-rollout-strategy"
RESOURCE_UTIL: Final = "resourceutil"
PAUSE: Final = "stagegate.dev/pause"
ABORT: Final = "stagegate.dev/abort"
ABORTED: Final = "stagegate.dev/aborted"
"""In the status."""
MAX_INT32: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Target:
    """One entry of a list of an RO; numbers are None where they are absent."""

    name: str
    percent: int | None
    direction: str
    target: int | None
    minimum: int | None
    maximum: int | None

    @property
    def goes_up(self) -> bool:
        return self.direction in ("", "up")

    @property
    def goes_down(self) -> bool:
        return self.direction == "down"


@dataclass(frozen=True, slots=True)
class Scales:
    """Bounds and scales of an SPA; None where they are absent."""

    minimum: int | None = None
    maximum: int | None = None
    desired: int | None = None
    actual: int | None = None

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        return self.minimum, self.maximum


def entries(listed: Iterable[Wire] | None) -> list[Target]:
    """The entries of a list of an RO, in order."""
    return [
        Target(
            name=one.get("revisionName") or "",
            percent=one.get("percent"),
            direction=(one.get("direction") or "").strip().lower(),
            target=one.get("targetReplicas"),
            minimum=one.get("minScale"),
            maximum=one.get("maxScale"),
        )
        for one in listed or ()
    ]


def stage_of(ro: Wire) -> list[Target]:
    return entries(ro["spec"].get("stageTargetRevisions"))


def record_of(ro: Wire) -> list[Target]:
    return entries((ro.get("status") or {}).get("stageRevisionStatus"))


def named_by(ro: Wire) -> set[str]:
    """Every revision that the spec names."""
    spec = ro["spec"]
    lists = ("initialRevisions", "targetRevisions", "stageTargetRevisions")
    return {entry.name for key in lists for entry in entries(spec.get(key))}


def percent_of(listed: Iterable[Target], name: str) -> int:
    return sum(entry.percent or 0 for entry in listed if entry.name == name)


def strategy_of(ro: Wire) -> str:
    """The word of the annotation, else of the spec; blanks cut, case ignored."""
    annotated = (ro["metadata"].get("annotations") or {}).get(STRATEGY_ANNOTATION) or ""
    return str(annotated.strip() or (ro["spec"].get("rolloutStrategy") or "")).strip().lower()


def is_true(ro: Wire, condition: str) -> bool:
    found = (ro.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == condition and one.get("status") == "True" for one in found)


def is_aborted(ro: Wire) -> bool:
    """Whether the rollout leads back: the loop has recorded it, and nobody has taken it back, or set other targets."""
    record = ((ro.get("status") or {}).get("annotations") or {}).get(ABORTED)
    if record is None or ABORT not in (ro["metadata"].get("annotations") or {}):
        return False
    of = (one.partition("=") for one in json.loads(record)["targets"].split(","))
    targets = {entry.name: str(entry.percent) for entry in entries(ro["spec"].get("targetRevisions")) if entry.percent}
    return {name: percent for name, _, percent in of} == targets


def is_held(ro: Wire) -> bool:
    """Whether the rollout is paused, without an end or a stage to wait for."""
    found = ro["metadata"].get("annotations") or {}
    return PAUSE in found and f"{PAUSE}-until" not in found and f"{PAUSE}-after-stage" not in found


def is_back(ro: Wire) -> bool:
    """Whether an aborted rollout is where it began."""
    found = (ro.get("status") or {}).get("conditions") or ()
    return any((one.get("type"), one.get("reason")) == ("Aborted", "AbortComplete") for one in found)


def scales_of(spa: Wire | None) -> Scales:
    spec, status = (spa or {}).get("spec") or {}, (spa or {}).get("status") or {}
    return Scales(
        spec.get("stageMinScale"), spec.get("stageMaxScale"), status.get("desiredScale"), status.get("actualScale")
    )


def runs_enough(entry: Target, scales: Scales) -> bool:
    """Whether a revision that goes up has what its stage wants of it, and one that gets traffic has what it needs.

    One that wants no replicas and runs none is at zero on purpose.
    """
    desired, actual = scales.desired, scales.actual
    if desired is None or actual is None:
        return False
    minimum = entry.minimum or 0
    if entry.target is None:
        enough = actual >= minimum and (not entry.maximum or actual <= entry.maximum)
    else:
        wanted = min(minimum, entry.target)
        enough = desired >= wanted and actual >= wanted
    return enough and not (entry.percent and desired >= 1 and actual == 0)


def is_ready_pod(pod: Wire) -> bool:
    """Whether a pod is ready, also while it terminates: the autoscaler's report of it may come a moment later."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def is_lowered(before: Scales, after: Scales) -> bool:
    """Whether a revision may run fewer replicas than before: a lower maximum (0 is no limit), or a lower minimum."""
    ceilings = [float("inf") if not one.maximum else float(one.maximum) for one in (before, after)]
    return ceilings[1] < ceilings[0] or (after.minimum or 0) < (before.minimum or 0)


def refusals(spa: Wire) -> list[str]:
    """Why this SPA may not be stored."""
    metadata, spec = spa["metadata"], spa.get("spec") or {}
    bounds = [bound for key in ("stageMinScale", "stageMaxScale") if (bound := spec.get(key)) is not None]
    found = [f"a bound of {bound!r}" for bound in bounds if type(bound) is not int or not 0 <= bound <= MAX_INT32]
    if not found and len(bounds) == 2 and 0 < bounds[1] < bounds[0]:
        found.append(f"its minimum {bounds[0]} is above its maximum {bounds[1]}")
    label = (metadata.get("labels") or {}).get(REVISION_LABEL, metadata["name"])
    if label != metadata["name"]:
        found.append(f"its label names revision {label}")
    return found
