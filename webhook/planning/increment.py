"""One increment: traffic and replicas move from the revision that goes down to the one that goes up.

The baseline revision says how many replicas a percent of traffic takes.
"""

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.api import InvalidRollout, MissingObservation, TargetRevision
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, DIRECTION_UP
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


@dataclass(frozen=True, slots=True)
class StartEntry:
    """An entry of the start list, and the path of the field that it was read from."""

    revision: TargetRevision
    field: str

    @property
    def percent(self) -> int:
        if self.revision.percent is None:
            name = self.revision.revision_name
            raise InvalidRollout(f"{self.field}.percent", f"missing, so the traffic of {name} cannot be moved")
        return self.revision.percent


def take_step(
    start: Sequence[StartEntry],
    target: TargetRevision,
    baseline: Baseline,
    ratio: int,
    pod_autoscalers: Mapping[str, int | None],
) -> list[TargetRevision]:
    """The stage after ``start``: at most ``ratio`` percent more replicas than the baseline runs, in whole replicas.

    A target among the measured revisions goes up in place, and the last of the others goes down. Any other target is
    appended, and the last revision goes down. The rest stays. The stage has at least two entries.
    """
    replicas = baseline.replicas_for(ratio)
    percent = math.ceil(baseline.traffic_of(replicas))
    if target.revision_name in baseline.running:
        up = next(i for i, entry in enumerate(start) if entry.revision.revision_name == target.revision_name)
        down = len(start) - 1 if up < len(start) - 1 else up - 1
        stage = [replace(entry.revision, direction=DIRECTION_STAY) for entry in start]
        rising = start[up]
    else:
        up, down = len(start), len(start) - 1
        stage = [_left_behind(entry.revision) for entry in start]
        rising = StartEntry(_arriving(target), "spec.targetRevisions[0]")
        stage.append(rising.revision)
    moved = min(start[down].percent, percent)
    stage[down] = _lowered(stage[down], start[down].percent - moved, replicas, baseline, pod_autoscalers)
    stage[up] = _raised(rising.revision, rising.percent + moved, replicas, baseline, last=moved == start[down].percent)
    return stage


def _arriving(target: TargetRevision) -> TargetRevision:
    """The first entry of a target: name and bounds from the end list, no traffic."""
    return TargetRevision(
        revision_name=target.revision_name,
        percent=0,
        latest_revision=True,
        min_scale=target.min_scale,
        max_scale=target.max_scale,
    )


def _left_behind(revision: TargetRevision) -> TargetRevision:
    """An entry that is no longer the latest; a target below its minimum is removed, since it cannot be reached."""
    target, minimum = revision.target_replicas, revision.min_scale
    below = target is not None and minimum is not None and target < minimum
    return replace(
        revision, direction=DIRECTION_STAY, latest_revision=False, tag="", target_replicas=None if below else target
    )


def _raised(revision: TargetRevision, percent: int, replicas: int, baseline: Baseline, *, last: bool) -> TargetRevision:
    """With ``last`` the other revision has no traffic left: at 100 percent this one has to reach its minScale."""
    target = min(baseline.running.get(revision.revision_name, 0) + replicas, math.floor(baseline.share(percent)))
    if last and percent == 100 and revision.min_scale is not None:
        target = max(target, revision.min_scale)
    return replace(revision, direction=DIRECTION_UP, percent=percent, target_replicas=target)


def _lowered(
    revision: TargetRevision,
    percent: int,
    replicas: int,
    baseline: Baseline,
    pod_autoscalers: Mapping[str, int | None],
) -> TargetRevision:
    revision = replace(revision, direction=DIRECTION_DOWN, tag="")
    if percent == 0:
        return replace(revision, percent=None, target_replicas=0)
    name = revision.revision_name
    target = max(baseline.running.get(name, 0) - replicas, math.ceil(baseline.share(percent)))
    # Rounding up can give more than it runs. Upstream then scales up the revision that goes down.
    actual = pod_autoscalers.get(name) or 0
    if actual > 0:
        target = min(target, actual)
    return replace(revision, percent=percent, target_replicas=target)
