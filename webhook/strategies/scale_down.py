"""The step in which revisions go down."""

from dataclasses import replace

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import STAGE_SCALE_DOWN_READY
from webhook.api.target_revision import one_per_revision
from webhook.strategies.protocols import EventSink, PodClient, RevisionLister
from webhook.strategies.readiness import is_stage_scale_down_ready
from webhook.strategies.scale_step import BaseScaleStep, Clock, EnqueueAfter, Revisions, record_step
from webhook.strategies.stage_bounds import create_base_stage_pod_autoscaler, update_spa_for_rev_down
from webhook.strategies.table import RESOURCE_UTIL_STRATEGY, normalise_strategy
from webhook.strategies.termination import POD_REMOVED, is_held, plan_terminations


class ScaleDownStep:
    """Lowers the bounds of the revisions that go down, and waits until they are gone. Mirrors ScaleDownStep.

    When nothing goes down, the initial revisions that do not go up do, to nothing. Upstream lowers their bounds and
    does not wait for them.
    """

    def __init__(
        self,
        base: BaseScaleStep,
        pods: PodClient,
        *,
        clock: Clock,
        events: EventSink,
        revisions: RevisionLister,
        force_delete: bool = True,
    ) -> None:
        """``force_delete`` False leaves pods that hang in termination alone."""
        self._base = base
        self._pods = pods
        self._clock = clock
        self._events = events
        self._revisions = revisions
        self._force_delete = force_delete

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Revisions, rev_scaling_down: Revisions) -> None:
        """Hold at 0/0 each revision that goes up and has no SPA, then lower those that go down."""
        for revision in rev_scaling_up.values():
            if self._base.spa_lister.get(ro.namespace, revision.revision_name) is None:
                self._base.client.create(create_base_stage_pod_autoscaler(ro, revision).with_bounds(0, 0))
        for revision in rev_scaling_down.values() or self._leaving(ro, rev_scaling_up):
            self._base.create_or_update_spa_rev(ro, revision, True, update_spa_for_rev_down)

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Revisions,
        rev_scaling_down: Revisions,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Whether every revision that goes down has come down and none of its pods terminates.

        For the first that has not, pods that hang in termination are removed, or looked at again later.
        """
        for revision in rev_scaling_down.values() or self._leaving_and_there(ro, rev_scaling_up):
            spa = self._base.create_or_update_spa_rev(ro, revision, True, update_spa_for_rev_down)
            if spa.replicas_terminating != 0 or not is_stage_scale_down_ready(spa, revision):
                self._see_to_terminating_pods(ro, revision, rev_scaling_up, enqueue_after)
                return False
        return True

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageScaleDownReady True, or the stage in progress."""
        record_step(ro, STAGE_SCALE_DOWN_READY, ready, self._clock())

    def _leaving(self, ro: RolloutOrchestrator, rev_scaling_up: Revisions) -> list[TargetRevision]:
        return [
            replace(revision, percent=None, target_replicas=0)
            for revision in one_per_revision(ro.spec.initial_revisions)
            if revision.revision_name not in rev_scaling_up
        ]

    def _leaving_and_there(self, ro: RolloutOrchestrator, rev_scaling_up: Revisions) -> list[TargetRevision]:
        leaving = self._leaving(ro, rev_scaling_up)
        there = self._revisions.names(ro.namespace, ro.name) if leaving else None
        return [revision for revision in leaving if there is None or revision.revision_name in there]

    def _see_to_terminating_pods(
        self,
        ro: RolloutOrchestrator,
        revision: TargetRevision,
        rev_scaling_up: Revisions,
        enqueue_after: EnqueueAfter,
    ) -> None:
        going_up = next(iter(rev_scaling_up.values()), None)
        spa = self._base.spa_lister.get(ro.namespace, going_up.revision_name) if going_up is not None else None
        if going_up is None or spa is None:
            return
        pods = self._pods.list_terminating(ro.namespace, revision.revision_name)
        held = normalise_strategy(ro.spec.rollout_strategy) == RESOURCE_UTIL_STRATEGY and is_held(spa, going_up)
        for pod, wait in plan_terminations(pods or (), held, self._clock()):
            if wait is not None:
                enqueue_after(ro, wait)
            elif self._force_delete:
                self._pods.delete_now(pod)
                why = f"{going_up.revision_name} waits for its room" if held else "it is past its deletion time"
                self._events.emit(
                    ro, "Normal", POD_REMOVED, f"Removed terminating pod {pod.namespace}/{pod.name}: {why}"
                )
