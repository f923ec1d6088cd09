"""The gauge: the revision by whose replicas and traffic a stage is measured."""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from webhook.api import MissingObservation, TargetRevision
from webhook.api.target_revision import DIRECTION_STAY
from webhook.planning.errors import PlanningError


@dataclass(frozen=True, slots=True)
class Gauge:
    """Replicas and percent of the revision that runs the most replicas per percent.

    ``running`` holds the replicas of every revision that was looked at, by name.
    """

    replicas: int
    traffic: int
    running: Mapping[str, int]

    def share(self, percent: int) -> float:
        """The replicas that carry this much traffic."""
        return float(self.replicas) * float(percent) / float(self.traffic)

    def traffic_of(self, replicas: int) -> float:
        """The traffic in percent that this many replicas carry; the gauge must run some."""
        return float(replicas) * float(self.traffic) / float(self.replicas)

    def replicas_for(self, ratio: int) -> int:
        """The step in replicas that this ratio (percent) allows, at least one."""
        return math.floor(self.share(ratio)) or 1


def read_gauge(
    revisions: Sequence[TargetRevision], pod_autoscalers: Mapping[str, int | None], spas: Container[str]
) -> Gauge:
    """Measure a list of revisions; those that are literally ``stay`` or have no percent are passed over.

    One with a percent of 0 is counted but gives no measure.

    A revision without an SPA that runs no more than its minScale counts with its share of minScale, and is preferred
    when it has fewer replicas per percent; one with an SPA when it has more. Raises MissingObservation when a
    PodAutoscaler or its actual scale is missing, PlanningError when no revision can be measured.
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
        raise PlanningError("no revision with a percent goes up or down, so that nothing tells what the traffic needs")
    return Gauge(*best, running)


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
