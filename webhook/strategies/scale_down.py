"""The step in which revisions go down."""

from dataclasses import replace
from typing import ClassVar, Self

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import STAGE_SCALE_DOWN_READY
from webhook.api.target_revision import one_per_revision
from webhook.strategies.protocols import EventSink, PodClient, RevisionLister
from webhook.strategies.readiness import is_stage_scale_down_ready
from webhook.strategies.scale_step import (
    BaseScaleStep,
    Clock,
    EnqueueAfter,
    Entries,
    StepTools,
    StrategyRow,
    record_step,
)
from webhook.strategies.stage_bounds import create_base_stage_pod_autoscaler, update_spa_for_rev_down
from webhook.strategies.termination import POD_REMOVED, is_held, plan_terminations


class ScaleDownStep:
    """Lowers the bounds of the revisions that go down, and waits until they have shrunk. Mirrors ``ScaleDownStep``.

    If nothing goes down, the initial revisions that do not go up are scaled to zero. Upstream lowers their bounds and
    does not wait for them.
    """

    condition: ClassVar[str] = STAGE_SCALE_DOWN_READY

    def __init__(
        self,
        base: BaseScaleStep,
        pods: PodClient,
        *,
        clock: Clock,
        events: EventSink,
        revisions: RevisionLister,
        force_delete: bool = True,
        holds_at_zero: bool = False,
        force_deletes_pods: bool = False,
    ) -> None:
        """``holds_at_zero`` and ``force_deletes_pods`` are columns of the table of strategies.

        ``force_delete`` False deletes no terminating pod at all.
        """
        self._base = base
        self._pods = pods
        self._clock = clock
        self._events = events
        self._revisions = revisions
        self._force_delete = force_delete
        self._holds_at_zero = holds_at_zero
        self._force_deletes_pods = force_deletes_pods

    @classmethod
    def build(cls, tools: StepTools, strategy: StrategyRow) -> Self:
        return cls(
            tools.base,
            tools.pods,
            clock=tools.clock,
            events=tools.events,
            revisions=tools.revisions,
            force_delete=tools.force_delete,
            holds_at_zero=strategy.holds_at_zero,
            force_deletes_pods=strategy.force_deletes_pods,
        )

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        """Lower the revisions that go down; before, hold at 0/0 each that goes up and has no SPA, if so configured."""
        for revision in rev_scaling_up.values() if self._holds_at_zero else ():
            if self._base.spa_lister.get(ro.namespace, revision.revision_name) is None:
                self._base.client.create(create_base_stage_pod_autoscaler(ro, revision).with_bounds(0, 0))
        for revision in rev_scaling_down.values() or self._leaving(ro, rev_scaling_up):
            self._base.create_or_update_spa_rev(ro, revision, True, update_spa_for_rev_down)

    def verify(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """True if every revision that goes down has shrunk far enough and none of its pods is terminating.

        For the first that has not, hanging pods are deleted, or another reconcile is requested.
        """
        for revision in rev_scaling_down.values() or self._leaving_and_there(ro, rev_scaling_up):
            spa = self._base.create_or_update_spa_rev(ro, revision, True, update_spa_for_rev_down)
            if spa.replicas_terminating != 0 or not is_stage_scale_down_ready(spa, revision):
                self._delete_terminating_pods(ro, revision, rev_scaling_up, enqueue_after)
                return False
        return True

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageScaleDownReady True, or the stage in progress."""
        record_step(ro, self.condition, ready, self._clock())

    def _leaving(self, ro: RolloutOrchestrator, rev_scaling_up: Entries) -> list[TargetRevision]:
        return [
            replace(revision, percent=None, target_replicas=0)
            for revision in one_per_revision(ro.spec.initial_revisions)
            if revision.revision_name not in rev_scaling_up
        ]

    def _leaving_and_there(self, ro: RolloutOrchestrator, rev_scaling_up: Entries) -> list[TargetRevision]:
        leaving = self._leaving(ro, rev_scaling_up)
        there = self._revisions.names(ro.namespace, ro.name) if leaving else None
        return [revision for revision in leaving if there is None or revision.revision_name in there]

    def _delete_terminating_pods(
        self,
        ro: RolloutOrchestrator,
        revision: TargetRevision,
        rev_scaling_up: Entries,
        enqueue_after: EnqueueAfter,
    ) -> None:
        going_up = next(iter(rev_scaling_up.values()), None)
        spa = self._base.spa_lister.get(ro.namespace, going_up.revision_name) if going_up is not None else None
        if going_up is None or spa is None:
            return
        pods = self._pods.list_terminating(ro.namespace, revision.revision_name)
        held = self._force_deletes_pods and is_held(spa, going_up)
        for pod, wait in plan_terminations(pods or (), held, self._clock()):
            if wait is not None:
                enqueue_after(ro, wait)
            elif self._force_delete:
                self._pods.delete_now(pod)
                why = f"{going_up.revision_name} waits for room" if held else "it is past its deletion time"
                self._events.emit(
                    ro, "Normal", POD_REMOVED, f"Removed terminating pod {pod.namespace}/{pod.name}: {why}"
                )
