"""The baseline revision, whose replicas and traffic say how many replicas a percent of traffic takes."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from webhook.api import MissingObservation, TargetRevision
from webhook.api.target_revision import DIRECTION_STAY
from webhook.planning.errors import PlanningError


@dataclass(frozen=True, slots=True)
class Baseline:
    """Replicas and percent of the baseline revision; ``running`` maps every measured revision to its replicas."""

    replicas: int
    traffic: int
    running: Mapping[str, int]

    def share(self, percent: int) -> float:
        """The replicas that this percent of traffic takes, unrounded."""
        return float(self.replicas) * float(percent) / float(self.traffic)

    def traffic_of(self, replicas: int) -> float:
        """The percent of traffic that this many replicas carry, unrounded; ``replicas`` must not be 0."""
        return float(replicas) * float(self.traffic) / float(self.replicas)

    def replicas_for(self, ratio: int) -> int:
        """The replicas that one stage may add at this ratio, in percent; at least one."""
        return math.floor(self.share(ratio)) or 1


def read_baseline(
    revisions: Sequence[TargetRevision], pod_autoscalers: Mapping[str, int | None], spas: Container[str]
) -> Baseline:
    """Choose the baseline among these revisions. Those with the literal direction ``stay`` or without percent are
    ignored.

    The first revision with traffic is chosen. A later one replaces it if it has an SPA and more replicas per percent,
    or no SPA and fewer. Replicas are the actual scale; a revision without an SPA that runs no more than its minScale
    counts with its share of minScale. One with a percent of 0 is measured but never chosen.

    Raises MissingObservation if a PodAutoscaler or its actual scale is missing, PlanningError if no revision is chosen.
    """
    running: dict[str, int] = {}
    best: tuple[int, int] | None = None
    for revision in revisions:
        if revision.direction == DIRECTION_STAY or revision.percent is None:
            continue
        has_spa = revision.revision_name in spas
        replicas = _replicas_of(revision, revision.percent, pod_autoscalers, has_spa)
        running[revision.revision_name] = replicas
        if revision.percent == 0:
            continue
        if best is None or _is_better(replicas, revision.percent, best, has_spa):
            best = replicas, revision.percent
    if best is None:
        raise PlanningError(
            "no revision with a percent goes up or down, so the replicas per percent of traffic are unknown"
        )
    return Baseline(*best, running)


def _replicas_of(
    revision: TargetRevision, percent: int, pod_autoscalers: Mapping[str, int | None], has_spa: bool
) -> int:
    name = revision.revision_name
    if name not in pod_autoscalers:
        raise MissingObservation(f"PodAutoscaler {name} does not exist yet")
    actual = pod_autoscalers[name]
    if actual is None:
        raise MissingObservation(f"PodAutoscaler {name} has no status.actualScale yet")
    if has_spa or revision.min_scale is None or actual > revision.min_scale:
        return actual
    share = revision.min_scale * percent
    return share // 100 if share >= 0 else -(-share // 100)


def _is_better(replicas: int, percent: int, best: tuple[int, int], has_spa: bool) -> bool:
    here, there = replicas / percent, best[0] / best[1]
    return here > there if has_spa else here < there
