"""Which stage of how many a rollout is in, by the percent of the traffic that a stage moves."""

import math
from collections.abc import Container, Mapping, Sequence

from webhook.api import MissingObservation, RolloutOrchestrator, TargetRevision
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

    An estimate: it counts with what a stage moves at the present number of replicas, by the arithmetic of the planner.
    Where shares do not fall on whole replicas, demand changes, or a late stage shifts traffic, it is off by some.
    ``pod_autoscalers`` and ``spas`` are those of ``plan_stages``.
    """
    targets = one_per_revision(ro.spec.target_revisions)
    if len(targets) != 1 or not config.progressive_rollout_enabled:
        return (1, 1) if ro.spec.stage_target_revisions else (0, 1)
    target = targets[0].revision_name
    recorded = ro.status.stage_revision_status if ro.spec.stage_target_revisions else []
    start, reached, now = (
        _percent_of(target, entries)
        for entries in (ro.spec.initial_revisions, recorded, ro.spec.stage_target_revisions)
    )
    listed = one_per_revision(recorded or ro.spec.initial_revisions)
    try:
        baseline = read_baseline([entry for entry in listed if entry.percent], pod_autoscalers, spas)
    except (MissingObservation, PlanningError):
        return None
    if baseline.replicas <= 0:
        return (1, 1) if ro.spec.stage_target_revisions else (0, 1)
    ratio, _ = held_ratio(config.over_consumption_ratio)
    percent = math.ceil(baseline.traffic_of(baseline.replicas_for(ratio)))
    left = math.ceil((_WHOLE - max(start, now)) / percent)
    if not ro.spec.stage_target_revisions:
        return 0, max(left, 1)
    # What was reached is a multiple of what a stage moves, but for rounding.
    before = round((max(start, reached) - start) / percent)
    number = max(1, before if reached >= now else before + 1)
    return number, number + left


def _percent_of(revision: str, entries: Sequence[TargetRevision]) -> int:
    entry = entries_by_revision(entries).get(revision)
    return (entry.percent or 0) if entry is not None else 0
