"""Which stage of how many a rollout is in."""

import math
from collections.abc import Container, Mapping, Sequence
from typing import Final

from webhook.api import MissingObservation, RolloutOrchestrator, TargetRevision
from webhook.api.target_revision import entries_by_revision, one_per_revision
from webhook.planning.config import RolloutConfig, held_ratio
from webhook.planning.errors import PlanningError
from webhook.planning.increment import read_baseline
from webhook.planning.planned_targets import PLANNED_TARGETS, has_unplanned_targets
from webhook.planning.stage_number import stage_number

_WHOLE: Final = 100
_ROUNDING: Final = 0.01


def stage_count(
    ro: RolloutOrchestrator,
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> tuple[int, int] | None:
    """The number of the present stage, 1 before the first too, and of all; None where that is not known.

    The number is the one that the loop records. How many there are is an estimate: it takes the percent that the
    present stage moves for that of the stages to come, so that it stays while the replicas of a stage move; before the
    first stage, and where the record is missing, the percent that the planner would move at the present replicas.
    ``pod_autoscalers`` and ``spas`` are those of ``plan_stages``.
    """
    targets = one_per_revision(ro.spec.target_revisions)
    if len(targets) != 1 or not config.progressive_rollout_enabled:
        return 1, 1
    target, stage, recorded = targets[0].revision_name, ro.spec.stage_target_revisions, ro.status.stage_revision_status
    start = _percent_of(target, ro.spec.initial_revisions)
    if not stage or (PLANNED_TARGETS in ro.status.annotations and has_unplanned_targets(ro)):
        planned = _planned_percent(ro.spec.initial_revisions, config, pod_autoscalers, spas)
        return None if planned is None else (1, max(1, math.ceil((_WHOLE - start) / planned)))
    reached, now = _percent_of(target, recorded), _percent_of(target, stage)
    number, moved = stage_number(ro), float(now - reached)
    if moved <= 0 and number:
        moved = (now - start) / number
    if moved <= 0 or (number is None and now >= _WHOLE and reached > start):
        planned = _planned_percent(recorded or ro.spec.initial_revisions, config, pod_autoscalers, spas)
        if planned is None:
            return None
        moved = planned
    if number is None:
        done = round((max(start, reached) - start) / moved)
        number = max(1, done if reached >= now else done + 1)
    return number, number + max(0, math.ceil((_WHOLE - now) / moved - _ROUNDING))


def _planned_percent(
    entries: Sequence[TargetRevision],
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> int | None:
    """The percent that the planner moves from these entries at the present replicas, all where none run."""
    try:
        baseline = read_baseline([one for one in one_per_revision(entries) if one.percent], pod_autoscalers, spas)
    except (MissingObservation, PlanningError):
        return None
    if baseline.replicas <= 0:
        return _WHOLE
    ratio, _ = held_ratio(config.over_consumption_ratio)
    return max(1, math.ceil(baseline.traffic_of(baseline.replicas_for(ratio))))


def _percent_of(revision: str, entries: Sequence[TargetRevision]) -> int:
    entry = entries_by_revision(entries).get(revision)
    return (entry.percent or 0) if entry is not None else 0
