"""The shift of traffic in a stage that has exceeded its timeout."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.api import InvalidRollout, MissingObservation, TargetRevision
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_UP, index_of, one_per_revision
from webhook.planning.baseline import read_baseline
from webhook.planning.config import held_ratio
from webhook.planning.errors import PlanningError
from webhook.planning.plan import Note

_FIELD = "spec.stageTargetRevisions"


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
