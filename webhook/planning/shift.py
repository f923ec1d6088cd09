"""The shift of traffic in a stage that ran out of time."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from webhook.api import TargetRevision
from webhook.planning.plan import Note


@dataclass(frozen=True, slots=True)
class TrafficShift:
    """The stage's entries with traffic moved from the one going down to the one going up; targets stay as they were."""

    revisions: list[TargetRevision]
    notes: tuple[Note, ...] = ()


def shift_traffic_next_stage(
    revisions: Sequence[TargetRevision],
    ratio: int,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> TrafficShift:
    """Move what the stage was to move, at most ``ratio`` percent, within 0 to 100; the sum of percents is kept.

    ``revisions`` is the stage; ``pod_autoscalers`` and ``spas`` are as in ``plan_stages``. Raises PlanningError when
    nothing goes up or nothing goes down, MissingObservation when a PodAutoscaler or its scale is missing or the gauge
    runs no replicas, InvalidRollout when a percent or the target of the entry going down is missing.
    Mirrors ``shiftTrafficNextStage``.
    """
    raise NotImplementedError
