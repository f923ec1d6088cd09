"""The table of causes, in the order in which they are reported: an earlier one keeps the later ones from mattering."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis.cause import DELAYS, INFORMS, PAUSES, STOPS, Cause
from webhook.diagnosis.causes import autoscaler, loop, pod_creation, pods, rollout, steering, traffic
from webhook.diagnosis.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class CauseRow:
    """``find`` gives the cause where it holds, more than one where it holds for several objects."""

    id: str
    summary: str
    find: Callable[[Snapshot], Iterable[Cause]]


CAUSES: Final = (
    CauseRow("failed", "the rollout was marked failed", rollout.failed),
    CauseRow("paused", "somebody paused the rollout", steering.paused),
    CauseRow("loop-absent", "no loop leads, or its Lease is stale", loop.loop_absent),
    CauseRow("steps-off", "the loop runs with --steps=off", loop.steps_off),
    CauseRow("hold-without-rollout", "the Route is held, and there is no RO", traffic.hold_without_rollout),
    CauseRow("write-refused", "the API server refuses what the loop writes", rollout.write_refused),
    CauseRow("not-taken-up", "no loop has observed this generation", loop.not_taken_up),
    CauseRow("aborted", "somebody aborted the rollout", steering.aborted),
    CauseRow("revision-shared", "another rollout moves one of its revisions", rollout.revision_shared),
    CauseRow("revision-missing", "a revision that the stage moves does not exist", rollout.revision_missing),
    CauseRow("not-planned", "the next stage cannot be planned", rollout.not_planned),
    CauseRow("spa-missing", "a revision that goes up has no SPA yet", rollout.spa_missing),
    CauseRow("quota", "a ResourceQuota keeps pods from being made", pod_creation.quota),
    CauseRow("pod-refused", "something else keeps pods from being made", pod_creation.pod_refused),
    CauseRow("unschedulable", "no node has room for a pod", pods.unschedulable),
    CauseRow("image", "an image cannot be pulled", pods.image),
    CauseRow("container", "a container cannot be made", pods.container),
    CauseRow("crash-loop", "a container ends again and again", pods.crash_loop),
    CauseRow("probe", "a container runs and its readiness probe fails", pods.probe),
    CauseRow("newcomer-not-ready", "Knative says that the new revision has failed", traffic.newcomer_not_ready),
    CauseRow("bounds-altered", "the cluster stores other bounds than the loop writes", rollout.bounds_altered),
    CauseRow("bound-below-target", "an SPA allows less than the stage needs", autoscaler.bound_below_target),
    CauseRow("autoscaler-silent", "Knative's autoscaler says nothing, or has no metrics", autoscaler.autoscaler_silent),
    CauseRow("autoscaler-lags", "Knative wants other replicas than the stage", autoscaler.autoscaler_lags),
    CauseRow("starting", "pods take long to start", pods.starting),
    CauseRow("ending-pods", "the stage waits for pods that terminate", pods.ending),
    CauseRow("route-not-moving", "the held Route does not show the shares of the stage", traffic.route_not_moving),
    CauseRow("traffic-without-pods", "requests go to a revision that runs nothing", traffic.traffic_without_pods),
    CauseRow("timed-out", "the stage is late and its traffic is not shifted", rollout.timed_out),
    CauseRow("traffic-not-carried", "nobody carries the shares into the Route", traffic.traffic_not_carried),
    CauseRow(steering.PAUSE_AHEAD, "a pause is to begin later", steering.pause_ahead),
)
"""Every cause by id. An id never changes its meaning."""

_ORDER: Final = (PAUSES, STOPS, DELAYS, INFORMS)


def causes_of(snapshot: Snapshot) -> list[Cause]:
    """The causes that hold: what stops the rollout first, then in the order of the table.

    None for a rollout that is being deleted; for one that is complete only that its Route does not follow it, and that
    the next one will be paused.
    """
    ro = snapshot.ro
    if ro.metadata.deletion_timestamp:
        return []
    if ro.is_complete:
        return [*traffic.traffic_not_carried(snapshot), *steering.pause_ahead(snapshot)]
    found = [cause for row in CAUSES for cause in row.find(snapshot)]
    return sorted(found, key=lambda cause: _ORDER.index(cause.effect))
