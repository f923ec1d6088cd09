"""The step in which revisions go down: their bounds, their replicas, and what becomes of pods that terminate."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final, Self

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import STAGE_SCALE_DOWN_READY, UNKNOWN
from webhook.strategies.protocols import (
    EventSink,
    ObservedRevision,
    PodClient,
    RevisionLister,
    TerminatingPod,
    TrafficClient,
)
from webhook.strategies.readiness import gets_traffic, is_stage_scale_down_ready
from webhook.strategies.rollout import (
    BaseScaleStep,
    Clock,
    EnqueueAfter,
    NothingHeld,
    StepTools,
    StrategyRow,
    record_step,
)
from webhook.strategies.stage import Entries, Stage, described_as_running, described_as_wanted, leaving
from webhook.strategies.stage_bounds import create_base_stage_pod_autoscaler, update_spa_for_rev_down

POD_REMOVED: Final = "TerminatingPodRemoved"
"""Reason of the Event for each deleted pod."""

_SOON: Final = 1.0
_WHOLE: Final = 100
_STABLE_WINDOW: Final = 60.0
"""Seconds over which Knative's autoscaler averages the demand, by default."""


class ScaleDownStep:
    """Lowers the bounds of the revisions that go down, and waits until they have shrunk. Mirrors ``ScaleDownStep``.

    If nothing goes down, the initial revisions that do not go up are scaled to zero. Upstream lowers their bounds and
    does not wait for them.
    """

    condition: ClassVar[str] = STAGE_SCALE_DOWN_READY
    reason: ClassVar[str] = "ScaledDown"
    is_optional: ClassVar[bool] = False

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
        goes_up_first: bool = True,
        traffic: TrafficClient | None = None,
    ) -> None:
        """``holds_at_zero``, ``force_deletes_pods`` and ``goes_up_first`` are columns of the table of strategies.

        ``force_delete`` False deletes no terminating pod at all. ``traffic`` moves that of held Routes (there are none
        when absent).
        """
        self._base = base
        self._pods = pods
        self._clock = clock
        self._events = events
        self._revisions = revisions
        self._force_delete = force_delete
        self._holds_at_zero = holds_at_zero
        self._force_deletes_pods = force_deletes_pods
        self._goes_up_first = goes_up_first
        self._traffic = traffic or NothingHeld()

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
            goes_up_first=strategy.goes_up_first,
            traffic=tools.traffic,
        )

    def execute(self, ro: RolloutOrchestrator, rev_scaling_up: Entries, rev_scaling_down: Entries) -> None:
        """Lower the revisions that go down; before, hold at 0/0 each that goes up and has no SPA, if so configured."""
        for revision in rev_scaling_up.values() if self._holds_at_zero else ():
            if self._base.spa_lister.get(ro.namespace, revision.revision_name) is None:
                self._base.client.create(create_base_stage_pod_autoscaler(ro, revision).with_bounds(0, 0))
        if self._ends_hold(ro, rev_scaling_up):
            # Whatever the order of the steps: a revision does not go to nothing while requests follow its share.
            self._traffic.move(ro)
            if self._traffic.waiting_for(ro) is not None:
                return
        for revision in rev_scaling_down.values() or leaving(ro.spec.initial_revisions, rev_scaling_up):
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

        With the stage that ends a hold, what leaves is not waited for once no request follows it: Knative lets its last
        replica go in its own time, or never where scaling to zero is off.
        """
        ends_hold = self._ends_hold(ro, rev_scaling_up)
        if ends_hold and self._traffic.waiting_for(ro) is not None:
            return False
        for revision in rev_scaling_down.values() or self._leaving_and_there(ro, rev_scaling_up):
            spa = self._base.create_or_update_spa_rev(ro, revision, True, update_spa_for_rev_down)
            if ends_hold and not gets_traffic(revision):
                continue
            if self._keeps_its_demand(ro, spa, revision, enqueue_after):
                continue
            if spa.replicas_terminating != 0 or not is_stage_scale_down_ready(spa, revision):
                self._delete_terminating_pods(ro, revision, rev_scaling_up, enqueue_after)
                return False
        return True

    def _ends_hold(self, ro: RolloutOrchestrator, rev_scaling_up: Entries) -> bool:
        """True if a Route is held, and this stage gives all of its traffic to what goes up."""
        has_all = sum(entry.percent or 0 for entry in rev_scaling_up.values()) >= _WHOLE
        return has_all and self._traffic.is_held(ro)

    def _keeps_its_demand(
        self,
        ro: RolloutOrchestrator,
        spa: StagePodAutoscaler,
        revision: TargetRevision,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """True if a revision without a limit of its own still wants more than its target after a stable window.

        Its share of a held Route keeps it there. Where replicas go down before the traffic moves, waiting for it would
        have no end.
        """
        if self._goes_up_first or (revision.max_scale and revision.target_replicas) or not self._traffic.is_held(ro):
            return False
        if (spa.desired_scale or 0) <= max(revision.target_replicas or 0, spa.stage_min_scale or 0):
            return False
        waiting = ro.status.conditions.get(self.condition)
        since = waiting.last_transition_time if waiting is not None and waiting.status == UNKNOWN else None
        left = _STABLE_WINDOW if since is None else _STABLE_WINDOW - (self._clock() - since).total_seconds()
        if left > 0:
            enqueue_after(ro, left)
        return left <= 0

    def modify_status(self, ro: RolloutOrchestrator, ready: bool = True) -> None:
        """StageScaleDownReady True, or the stage in progress."""
        record_step(ro, self.condition, ready, self._clock())

    @classmethod
    def waits_for(cls, stage: Stage) -> str | None:
        wanted = described_as_wanted(cls._moved(stage))
        return f"scaling down: waiting for {wanted}" if wanted else None

    @classmethod
    def has_reached(cls, stage: Stage, running: Mapping[str, int | None]) -> str:
        return f"down: {described_as_running(cls._moved(stage), running)}"

    @classmethod
    def obstacles(cls, stage: Stage, seen: Mapping[str, ObservedRevision]) -> list[str]:
        return []

    @staticmethod
    def _moved(stage: Stage) -> Sequence[TargetRevision]:
        return list(stage.down.values()) or stage.leaving

    def _leaving_and_there(self, ro: RolloutOrchestrator, rev_scaling_up: Entries) -> list[TargetRevision]:
        gone = leaving(ro.spec.initial_revisions, rev_scaling_up)
        there = self._revisions.names(ro.namespace, ro.name) if gone else None
        return [revision for revision in gone if there is None or revision.revision_name in there]

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


def is_held(spa: StagePodAutoscaler, revision: TargetRevision) -> bool:
    """True if a revision that goes up is held at the bounds 0/0 until those that go down have made room.

    An SPA without bounds does not hold it (upstream dereferences a null there), nor does an SPA whose revision has the
    bounds 0/0 itself.
    """
    return (spa.stage_min_scale, spa.stage_max_scale) == (0, 0) and (revision.min_scale, revision.max_scale) != (0, 0)


def plan_terminations(
    pods: Sequence[TerminatingPod], held: bool, now: datetime
) -> Iterator[tuple[TerminatingPod, float | None]]:
    """Each pod to delete now, with None, or to check again, with the seconds until then.

    A pod past its deletion time is deleted, and every pod while a revision is held (see ``is_held``). Otherwise it is
    checked again when its grace period or its deletion time is over, whichever comes first, after at least a second;
    upstream waits for the whole grace period. A pod without a grace period is left out.
    """
    for pod in pods:
        if held or pod.deletion_time <= now:
            yield pod, None
        elif pod.grace_period_seconds is not None:
            yield pod, max(_SOON, min(pod.grace_period_seconds, (pod.deletion_time - now).total_seconds()))
