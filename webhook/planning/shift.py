"""A stage that is not done by its target finish time: what obstructs a shift of its traffic, and the shift."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, TargetRevision, wire
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.kinds import REVISION_LABEL
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_UP, index_of, one_per_revision
from webhook.planning.config import held_ratio
from webhook.planning.errors import PlanningError
from webhook.planning.increment import read_baseline
from webhook.planning.plan import Note
from webhook.strategies.stage import is_last_stage_complete

_FIELD: Final = "spec.stageTargetRevisions"
_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Overdue:
    """The stage is late. ``obstacle`` says why its traffic cannot be shifted, None when it can."""

    since: str
    obstacle: str | None = None


def seconds_left(ro: RolloutOrchestrator, now: datetime) -> float | None:
    """Seconds until the stage should be done, 0 if it is late; None if no stage is in progress or it has no time-out.

    Mirrors upstream: the last stage has no time-out, since there is nothing left to shift. Raises InvalidRollout for
    targets that cannot be compared.
    """
    conditions, stage = ro.status.conditions, ro.spec.stage_target_revisions
    if not stage or not conditions.is_unknown(STAGE_READY) or conditions.is_true(READY):
        return None
    finish = wire.parse_time(ro.spec.target_finish_time or "")
    if finish is None or is_last_stage_complete(stage, ro.spec.target_revisions):
        return None
    return max(0.0, (finish - now).total_seconds())


def overdue(ro: RolloutOrchestrator, deployments: Sequence[Mapping[str, Any]] | None) -> Overdue:
    """A late stage and its obstacle. ``deployments`` are those of the service, None if they cannot be seen."""
    since = ro.spec.target_finish_time or ""
    if deployments is None:
        return Overdue(since, "the Deployments of its revisions cannot be seen")
    by_revision = {
        labels.get(REVISION_LABEL): deployment
        for deployment in deployments
        if (labels := (deployment.get("metadata") or {}).get("labels") or {})
    }
    for entry in one_per_revision(ro.spec.stage_target_revisions):
        obstacle = _obstacle(entry, by_revision.get(entry.revision_name))
        if obstacle is not None:
            return Overdue(since, obstacle)
    return Overdue(since)


def next_finish_time(now: datetime, minutes: int) -> str:
    """The time by which a stage that begins or goes on now should be done. A time-out below 0 ends at once."""
    try:
        length = timedelta(minutes=minutes)
    except OverflowError:
        length = _LONGEST
    return finish_time(now, length.total_seconds())


def finish_time(now: datetime, seconds: float) -> str:
    """The time so many seconds from now, at least one second and at most a year."""
    return wire.format_time(now + min(max(timedelta(seconds=seconds), _SHORTEST), _LONGEST))


@dataclass(frozen=True, slots=True)
class TrafficShift:
    """The stage with traffic moved from the revision that goes down to the one that goes up; one entry per revision.

    Target replicas are unchanged.
    """

    revisions: list[TargetRevision]
    notes: tuple[Note, ...] = ()


def shift_traffic_next_stage(
    revisions: Sequence[TargetRevision],
    ratio: int,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> TrafficShift:
    """Move the traffic that the stage should have moved, at most ``ratio`` percent; the sum of percents is kept.

    ``revisions`` is the stage; ``pod_autoscalers`` and ``spas`` are as in ``plan_stages``. Raises PlanningError when
    nothing goes up or nothing goes down, MissingObservation when a PodAutoscaler or its scale is missing or the
    baseline runs no replicas, InvalidRollout when a percent or the target of the entry that goes down is missing.
    Mirrors ``shiftTrafficNextStage``.
    """
    limit, notes = held_ratio(ratio)
    listed, revisions = revisions, one_per_revision(revisions)
    baseline = read_baseline(revisions, pod_autoscalers, spas)
    up, down = _up_and_down(revisions)
    from_percent, to_percent = _percent(revisions[down], listed), _percent(revisions[up], listed)
    surplus = baseline.running.get(revisions[down].revision_name, 0) - _target(revisions[down], listed)
    if baseline.replicas == 0:
        raise MissingObservation("the revisions run no replicas, so the traffic to move is unknown")
    wanted = min(math.ceil(baseline.traffic_of(surplus)), limit)
    moved = max(0, min(wanted, from_percent, 100 - to_percent))
    shifted = list(revisions)
    shifted[up] = replace(revisions[up], percent=to_percent + moved)
    shifted[down] = replace(revisions[down], percent=(from_percent - moved) or None)
    return TrafficShift(shifted, notes)


def _up_and_down(revisions: Sequence[TargetRevision]) -> tuple[int, int]:
    """Indexes of the entries that literally go up and down: of each kind the last before both were found."""
    up: int | None = None
    down: int | None = None
    for index, revision in enumerate(revisions):
        if revision.direction in (DIRECTION_UP, ""):
            up = index
        elif revision.direction == DIRECTION_DOWN:
            down = index
        if up is not None and down is not None:
            return up, down
    raise PlanningError(f"nothing in {_FIELD} goes {'down' if down is None else 'up'}, so no traffic can move")


def _percent(revision: TargetRevision, listed: Sequence[TargetRevision]) -> int:
    if revision.percent is None:
        name = revision.revision_name
        raise InvalidRollout(
            f"{_FIELD}[{index_of(name, listed)}].percent", f"missing, so the traffic of {name} cannot be moved"
        )
    return revision.percent


def _target(revision: TargetRevision, listed: Sequence[TargetRevision]) -> int:
    if revision.target_replicas is None:
        name = revision.revision_name
        field = f"{_FIELD}[{index_of(name, listed)}].targetReplicas"
        raise InvalidRollout(field, f"missing, so the traffic to move from {name} is unknown")
    return revision.target_replicas


def _obstacle(entry: TargetRevision, deployment: Mapping[str, Any] | None) -> str | None:
    if deployment is None:
        return f"revision {entry.revision_name} has no Deployment"
    name = (deployment.get("metadata") or {}).get("name")
    status = deployment.get("status") or {}
    replicas = (deployment.get("spec") or {}).get("replicas")
    available = status.get("availableReplicas") or 0
    if replicas is None:
        return f"Deployment {name} of revision {entry.revision_name} does not say how many replicas it wants"
    if replicas == 0 and not entry.goes_up:
        return None
    says_available = any(
        condition.get("type") == "Available" and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )
    if replicas and says_available and available == replicas:
        return None
    return f"Deployment {name} of revision {entry.revision_name} has {available} of {replicas} replicas available"
