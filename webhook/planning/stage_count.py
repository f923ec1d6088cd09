"""Which stage of how many a rollout is in, by the percent of the traffic that a stage moves."""

import math
from collections.abc import Container, Mapping

from webhook.api import MissingObservation, RolloutOrchestrator
from webhook.api.target_revision import entries_by_revision, one_per_revision
from webhook.planning.config import RolloutConfig, held_ratio
from webhook.planning.errors import PlanningError
from webhook.planning.increment import read_baseline

_WHOLE = 100


def stage_count(
    ro: RolloutOrchestrator,
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> tuple[int, int] | None:
    """The number of the present stage, 0 before the first, and of all; None where replicas are not known.

    It counts with what a stage moves at the present number of replicas, by the arithmetic of the planner; demand that
    changes, and traffic that a late stage shifts, change the count. ``pod_autoscalers`` and ``spas`` are those of
    ``plan_stages``.
    """
    targets = one_per_revision(ro.spec.target_revisions)
    if len(targets) != 1 or not config.progressive_rollout_enabled:
        return (1, 1) if ro.spec.stage_target_revisions else (0, 1)
    target = targets[0].revision_name
    start, now = (
        entry.percent or 0 if (entry := entries_by_revision(listed).get(target)) is not None else 0
        for listed in (ro.spec.initial_revisions, ro.spec.stage_target_revisions)
    )
    recorded = ro.status.stage_revision_status if ro.spec.stage_target_revisions else []
    listed = one_per_revision(recorded or ro.spec.initial_revisions)
    try:
        baseline = read_baseline([entry for entry in listed if entry.percent], pod_autoscalers, spas)
    except (MissingObservation, PlanningError):
        return None
    if baseline.replicas <= 0:
        return (1, 1) if ro.spec.stage_target_revisions else (0, 1)
    ratio, _ = held_ratio(config.over_consumption_ratio)
    percent = math.ceil(baseline.traffic_of(baseline.replicas_for(ratio)))
    left = max(0, -(-(_WHOLE - max(start, now)) // percent))
    if not ro.spec.stage_target_revisions:
        return 0, max(left, 1)
    number = max(1, -(-(now - start) // percent))
    return number, number + left
