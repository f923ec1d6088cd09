"""One step from a start list: traffic and replicas move from the revision going down to the one going up."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.api import InvalidRollout, TargetRevision
from webhook.api.target_revision import DIRECTION_DOWN, DIRECTION_STAY, DIRECTION_UP
from webhook.planning.baseline import Gauge


@dataclass(frozen=True, slots=True)
class StartEntry:
    """A revision that the step starts from, and the path of the field it was read from."""

    revision: TargetRevision
    field: str

    @property
    def percent(self) -> int:
        if self.revision.percent is None:
            name = self.revision.revision_name
            raise InvalidRollout(f"{self.field}.percent", f"missing, so that the share of {name} cannot be moved")
        return self.revision.percent


def take_step(
    start: Sequence[StartEntry],
    target: TargetRevision,
    gauge: Gauge,
    ratio: int,
    pod_autoscalers: Mapping[str, int | None],
) -> list[TargetRevision]:
    """The stage after ``start``: at most ``ratio`` percent more replicas than the gauge runs, whole ones.

    A target among the measured revisions goes up in its place, and the last other one goes down; a target that is not
    there yet is appended, and the last revision goes down. The others stay. At least two revisions come out.
    """
    replicas = gauge.replicas_for(ratio)
    percent = math.ceil(gauge.traffic_of(replicas))
    if target.revision_name in gauge.running:
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
    stage[down] = _lowered(stage[down], start[down].percent - moved, replicas, gauge, pod_autoscalers)
    stage[up] = _raised(rising.revision, rising.percent + moved, replicas, gauge, last=moved == start[down].percent)
    return stage


def _arriving(target: TargetRevision) -> TargetRevision:
    """The entry of a target that carries nothing yet; of the end list it takes only name and bounds."""
    return TargetRevision(
        revision_name=target.revision_name,
        percent=0,
        latest_revision=True,
        min_scale=target.min_scale,
        max_scale=target.max_scale,
    )


def _left_behind(revision: TargetRevision) -> TargetRevision:
    """A revision that is no longer the newest; a target below its minimum is one that it would never reach."""
    target, minimum = revision.target_replicas, revision.min_scale
    below = target is not None and minimum is not None and target < minimum
    return replace(
        revision, direction=DIRECTION_STAY, latest_revision=False, tag="", target_replicas=None if below else target
    )


def _raised(revision: TargetRevision, percent: int, replicas: int, gauge: Gauge, *, last: bool) -> TargetRevision:
    """``last`` says that the one going down has given all it had, so that 100 percent here have to reach minScale."""
    target = min(gauge.running.get(revision.revision_name, 0) + replicas, math.floor(gauge.share(percent)))
    if last and percent == 100 and revision.min_scale is not None:
        target = max(target, revision.min_scale)
    return replace(revision, direction=DIRECTION_UP, percent=percent, target_replicas=target)


def _lowered(
    revision: TargetRevision,
    percent: int,
    replicas: int,
    gauge: Gauge,
    pod_autoscalers: Mapping[str, int | None],
) -> TargetRevision:
    revision = replace(revision, direction=DIRECTION_DOWN, tag="")
    if percent == 0:
        return replace(revision, percent=None, target_replicas=0)
    name = revision.revision_name
    target = max(gauge.running.get(name, 0) - replicas, math.ceil(gauge.share(percent)))
    # Rounding up can ask for more than runs; upstream then scales up the revision that is to go.
    actual = pod_autoscalers.get(name) or 0
    if actual > 0:
        target = min(target, actual)
    return replace(revision, percent=percent, target_replicas=target)
