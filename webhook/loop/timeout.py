"""Time-out: a stage that is not done by its target finish time, and what keeps its traffic from being shifted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api import RolloutOrchestrator, TargetRevision, wire
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.kinds import REVISION_LABEL
from webhook.api.target_revision import one_per_revision
from webhook.strategies.stage_entries import is_last_stage_complete

TIMED_OUT: Final = "StageTimedOut"
"""Reason of the condition and of the Event."""

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
    return wire.format_time(now + min(max(length, _SHORTEST), _LONGEST))


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
