"""The pass over a stage: from its spec and its SPAs to a plan of the writes that differ, and to its new status."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.conditions import READY, STAGE_READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.cluster.errors import Conflict
from webhook.loop.planned_writes import CreateSPA, PassPlan, PlannedWrite, PlannedWrites, StageWrite, Traffic, UpdateSPA
from webhook.loop.result import NothingGoesUp, PodsNotListed, Result
from webhook.loop.reverts import Reverts
from webhook.loop.revisions import Revisions
from webhook.loop.spa_cleanup import GRACE, MissingSince, plan_cleanup
from webhook.loop.stage_status import observe_generation, record_outcome
from webhook.loop.write_executor import SPADeleter, WriteExecutor
from webhook.planning.pause import paused_traffic
from webhook.strategies import (
    EventSink,
    PodClient,
    RevisionConditionLister,
    Rollout,
    SPAClient,
    SPALister,
    Strategy,
    create_base_stage_pod_autoscaler,
    new_rollout_strategy,
    update_spa_for_rev_up,
)
from webhook.strategies.readiness import NoConditions, can_run, gets_traffic
from webhook.strategies.rollout import Clock
from webhook.strategies.stage import Entries, Stage, is_last_stage_complete


def utc_now() -> datetime:
    return datetime.now(UTC)


class StagePass:
    """Carries a stage on by one pass: decide, verify, plan the writes, carry them out.

    It is given an RO that was read from a cache or the API, whose copy the caller owns, and changes only ``ro.status``;
    the caller stores that, conditional on ``ro.metadata.resource_version``, when ``status_changed`` says so. SPAs and
    pods are written only where something differs. The SPA lister may be a cache.
    """

    def __init__(
        self,
        spas: SPAClient,
        lister: SPALister,
        pods: PodClient,
        revisions: Revisions,
        deleter: SPADeleter,
        events: EventSink,
        *,
        clock: Callable[[], datetime] = utc_now,
        force_delete: bool = True,
        grace: timedelta = GRACE,
        conditions: RevisionConditionLister | None = None,
        reverts: Reverts | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        """``force_delete`` False deletes no terminating pod.

        ``grace`` is how long an SPA without a Revision is spared; since when it has none is remembered here.
        ``conditions`` reads what Knative says of a revision (nothing when absent).
        ``reverts`` is what is known of bounds that other clients changed, None for nothing yet.
        ``traffic`` is that of held Routes, None where none is held.
        """
        self._lister = lister
        self._revisions = revisions
        self._events = events
        self._clock = clock
        self._grace = grace
        self._missing_since = MissingSince()
        self._conditions = conditions or NoConditions()
        self._planned = PlannedWrites(lister, pods, traffic)
        self._strategies = new_rollout_strategy(
            self._planned,
            self._planned,
            self._planned,
            clock=clock,
            events=self._planned,
            revisions=revisions,
            conditions=self._conditions,
            traffic=self._planned,
            force_delete=force_delete,
        )
        self._reverts = reverts or Reverts()
        self._executor = WriteExecutor(spas, lister, pods, deleter, events, self._reverts, traffic)

    def reconcile(self, ro: RolloutOrchestrator, strategy: Strategy, *, is_paused: bool = False) -> Result:
        """The pass as upstream's generated controller wraps it; an RO with a deletion time is not touched at all.

        A paused rollout goes on within its stage, but its traffic stays, and no stage begins.

        Before: missing conditions are added, and a new generation makes Ready Unknown. After, also after an error: the
        generation is observed, an unchanged condition keeps its time, and an Event states the error unless
        it is a conflict, which the next pass resolves.
        """
        if ro.metadata.deletion_timestamp:
            return Result()
        before = ro.status.copy()
        observe_generation(ro, self._clock())
        result = self.reconcile_kind(ro, strategy, is_paused=is_paused)
        ro.status.observed_generation = ro.metadata.generation
        ro.status.conditions.keep_times_of(before.conditions)
        if result.error is not None and not isinstance(result.error, Conflict):
            reason = "InvalidRollout" if isinstance(result.error, InvalidRollout) else "InternalError"
            self._events.emit(ro, "Warning", reason, str(result.error))
        return replace(result, status_changed=not ro.status.equals_except_times(before))

    def reconcile_kind(self, ro: RolloutOrchestrator, strategy: Strategy, *, is_paused: bool = False) -> Result:
        """The pass alone, as upstream's ReconcileKind: no preparation, no Event for an error, no generation observed.

        ``strategy`` is the one in force, which need not be that of the spec. Raises what is neither an error of this
        spec nor of a request: a fault of the program.
        """
        before = ro.status.copy()
        result = self._executor.carry_out(ro, self.plan(ro, strategy, is_paused=is_paused))
        return replace(result, status_changed=not ro.status.equals_except_times(before))

    def restore(self, ro: RolloutOrchestrator, strategy: Strategy) -> Result:
        """Restore the bounds of what goes up in a rollout that has reached its targets already; send nothing else.

        There a strategy that goes down first takes only its first step. It would never raise bounds again that were
        lowered for a stage taken back before the status said that it had begun, and it would create a deleted SPA held
        at 0/0, as upstream does.
        """
        stage, status = Stage.of(ro.spec), ro.status
        is_there = ro.is_complete or (
            status.conditions.is_true(STAGE_READY)
            and stage.named <= stage.up.keys()
            and is_last_stage_complete(status.stage_revision_status, ro.spec.target_revisions)
        )
        if not is_there:
            return Result()
        writes: list[PlannedWrite] = []
        for name, entry in stage.up.items():
            spa = self._lister.get(ro.namespace, name)
            if spa is None and self._revisions.absence(ro.namespace, name, ro.name) is None:
                made = create_base_stage_pod_autoscaler(ro, entry)
                writes.append(CreateSPA(update_spa_for_rev_up(made, entry, True)))
            elif spa is not None and gets_traffic(entry) and not strategy.goes_up_first:
                raised = update_spa_for_rev_up(spa, entry, True)
                writes += [UpdateSPA(raised)] if raised.bounds != spa.bounds else []
        return self._executor.carry_out(ro, PassPlan(stage=[StageWrite(write, status.copy()) for write in writes]))

    def plan(self, ro: RolloutOrchestrator, strategy: Strategy, *, is_paused: bool = False) -> PassPlan:
        """The writes that the stage and the cleanup need, sending none; ``ro.status`` becomes what it is after them.

        A spec that can never be carried out marks the RO failed and plans no writes for the stage; a failed RO stays as
        it is until its generation changes. SPAs without a Revision are deleted in any case, after their grace period.
        """
        self._planned.begin(ro, moves_traffic=not is_paused)
        error: Exception | None = None
        kept = paused_traffic(ro) if is_paused else None
        if kept is not None:
            self._planned.keep_traffic(ro, kept)
        if ro.spec.stage_target_revisions and not ro.has_failed:
            before = ro.status.copy()
            try:
                self._carry_stage(ro, strategy, is_paused)
            except InvalidRollout as invalid:
                self._planned.writes.clear()
                ro.status = before
                ro.mark_stage_revision_failed(str(invalid), self._clock())
                error = invalid
            except (MissingObservation, NothingGoesUp) as problem:
                error = problem
            else:
                self._set_back_what_others_changed(ro)
        unlisted = f"cannot list the terminating pods of {ro.namespace}/{ro.name}"
        revisions = self._revisions.names(ro.namespace, ro.name)
        return PassPlan(
            stage=self._planned.to_send(revisions),
            cleanup=self._plan_cleanup(ro, revisions),
            error=error,
            unfinished=PodsNotListed(unlisted) if self._planned.pods_not_listed else None,
        )

    def _carry_stage(self, ro: RolloutOrchestrator, strategy: Strategy, is_paused: bool) -> None:
        rollout = self._strategies[strategy.name]
        carry_stage(ro, strategy, rollout, self._planned, self._conditions, self._clock, begins=not is_paused)

    def _set_back_what_others_changed(self, ro: RolloutOrchestrator) -> None:
        """Plan the bounds that the loop stored last for SPAs whose bounds another client has changed since.

        A pass takes only the steps up to the first that is not ready, and writes the SPAs of these alone.
        """
        changed = self._planned.changed()
        for spa in self._lister.list(ro.namespace, {SERVICE_LABEL: ro.name}):
            bounds = None if spa.name in changed else self._reverts.overridden(spa)
            if bounds is not None:
                self._planned.update(spa.with_bounds(*bounds))

    def _plan_cleanup(self, ro: RolloutOrchestrator, revisions: frozenset[str] | None) -> list[PlannedWrite]:
        """Nothing where Revisions cannot be seen."""
        if revisions is None:
            return []
        now = self._clock()
        spas = self._lister.list(ro.namespace, {SERVICE_LABEL: ro.name})
        without = [spa for spa in spas if spa.name not in revisions]
        since = self._missing_since.of(ro.namespace, ro.name, without, now)

        def absence(name: str) -> str | None:
            return self._revisions.absence(ro.namespace, name, ro.name)

        return list(plan_cleanup(without, since, absence, self._grace, now))


def carry_stage(
    ro: RolloutOrchestrator,
    strategy: Strategy,
    rollout: Rollout,
    planned: PlannedWrites,
    conditions: RevisionConditionLister,
    clock: Clock,
    *,
    begins: bool = True,
) -> None:
    """Reset obsolete SPAs, take the steps of the strategy, and set the status; without ``begins`` no stage begins.

    A rollout that names nothing but what goes up leaves the other SPAs of its service: a strategy that goes up first
    resets them once the stage is done. Upstream resets them at once.

    Raises NothingGoesUp; InvalidRollout where upstream panics over the spec; and what the strategy raises.
    """
    stage = Stage.of(ro.spec)
    if not stage.up:
        raise NothingGoesUp(
            f"spec.stageTargetRevisions of RolloutOrchestrator {ro.namespace}/{ro.name}: no entry goes up;"
            " set direction: up on the revision that the stage leads to"
        )
    resets_last = strategy.goes_up_first and stage.named <= stage.up.keys() and not ro.status.conditions.is_true(READY)
    if not resets_last:
        reset_obsolete(ro, stage, planned, planned)
    is_in_stage = ro.status.conditions.is_unknown(STAGE_READY)
    in_progress = ro.status
    if rollout.reconcile(ro, stage.up, stage.down, planned.enqueue_after) and (begins or is_in_stage):
        in_progress = ro.status.copy()
        can_all_run = _can_all_run(ro, stage.up, planned, conditions)
        record_outcome(ro, stage, strategy, clock(), can_all_run=can_all_run)
    if resets_last and ro.status.conditions.is_true(STAGE_READY):
        # The stage is not done if one of these writes fails.
        done, ro.status = ro.status, in_progress
        reset_obsolete(ro, stage, planned, planned)
        ro.status = done


def reset_obsolete(ro: RolloutOrchestrator, stage: Stage, client: SPAClient, lister: SPALister) -> None:
    """Let the SPAs of this service that the rollout names neither in its stage nor in its start go to nothing (0/1).

    One that neither wants nor runs replicas is left alone. Upstream leaves one alone that still runs some, too.
    """
    for spa in lister.list(ro.namespace, {SERVICE_LABEL: ro.name}):
        if spa.name not in stage.named and not _is_gone(spa) and (spa.stage_min_scale, spa.stage_max_scale) != (0, 1):
            client.update(spa.with_bounds(0, 1))


def _can_all_run(ro: RolloutOrchestrator, up: Entries, lister: SPALister, conditions: RevisionConditionLister) -> bool:
    """True if all that go up have shown that they can run. One recorded with traffic has, if it reports no scale."""
    recorded = {entry.revision_name for entry in ro.status.stage_revision_status if gets_traffic(entry)}
    for name, revision in up.items():
        spa = lister.get(ro.namespace, name)
        is_silent = spa is None or spa.desired_scale is None or spa.actual_scale is None
        if is_silent and name in recorded:
            continue
        if not can_run(spa, revision, conditions.conditions(ro.namespace, name)):
            return False
    return True


def _is_gone(spa: StagePodAutoscaler) -> bool:
    return spa.desired_scale == 0 and not spa.actual_scale
