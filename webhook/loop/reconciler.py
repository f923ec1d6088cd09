"""The rollout reconciler: one reconcile of one RO and of the SPAs that belong to it."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from webhook.api import InvalidRollout, MalformedObject, RolloutOrchestrator
from webhook.api.conditions import STAGE_READY, STAGE_SCALE_UP_READY
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.wire import Wire
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.merge_patch import merge_patch
from webhook.loop.caches import Caches
from webhook.loop.event_messages import (
    WAITING,
    EventMessage,
    events_of_spec,
    events_of_status,
    pending_step,
    seconds_until_waiting,
    timeout_event,
    timeout_message,
    waiting_for,
)
from webhook.loop.event_sink import ClusterEvents
from webhook.loop.kstatus import mark_progress, unmark_progress
from webhook.loop.observation import observe, observe_conflict, observe_running
from webhook.loop.ownership_conflict import OWNERSHIP_CONFLICT, block, conflict_message, is_over
from webhook.loop.recorded_status import PLANNED_TARGETS, record_of
from webhook.loop.result import Result
from webhook.loop.rollout_settings import ClusterSettings
from webhook.loop.spa_reconciler import SPAReconciler
from webhook.loop.spec_decision import Observed, SpecDecision, decide_spec, spec_patch, strategy_of
from webhook.loop.stage_pass import StagePass
from webhook.loop.timeout import TIMED_OUT, seconds_left
from webhook.loop.writer import Writer
from webhook.planning.next_stage import has_failed
from webhook.strategies import Strategy

_LOG: Final = logging.getLogger(__name__)

FAULT: Final = "InternalError"
"""Reason of the Event when the program fails on a rollout, in a way that no object explains."""
REVISION_MISSING: Final = "RevisionMissing"
"""Reason of the Event when a stage cannot go on because somebody deleted a Revision that it moves."""


@dataclass(slots=True)
class RolloutReconciler:
    """Carries one RO on. Called for one RO by one thread at a time. With ``steps`` False it only defaults SPAs."""

    caches: Caches
    rollouts: Writer
    spas: SPAReconciler
    stages: StagePass
    events: ClusterEvents
    clock: Clock
    settings: ClusterSettings
    steps: bool = True

    def reconcile(self, namespace: str, name: str) -> Result:
        """Update the SPAs, decide the spec, carry the stage on by one pass, write what differs. Raises ApiError."""
        seen = self.caches.rollouts.get(namespace, name)
        if seen is None or (seen.get("metadata") or {}).get("deletionTimestamp"):
            return Result()
        ro = RolloutOrchestrator.from_dict(seen)
        spa_error = self.spas.reconcile_all(ro)
        try:
            result = self._reconcile(seen, ro)
        except ApiError as problem:
            self.events.emit_refusal(ro, problem)
            raise
        except MalformedObject:
            raise
        except Exception as fault:
            # The worker logs the traceback; the fault's own message would mean nothing to people.
            self.events.emit(ro, "Warning", FAULT, f"{type(fault).__name__} in the loop: its log has the traceback")
            raise
        return replace(result, unfinished=spa_error or result.unfinished)

    def _reconcile(self, seen: Wire, ro: RolloutOrchestrator) -> Result:
        if not self.steps:
            self._leave_status(seen, ro)
            return Result()
        owners = observe_conflict(ro, self.caches, self.spas.rollout_of)
        if owners:
            before = ro.status.copy()
            block(ro, owners, self.clock.now())
            changed = self._store_status(seen, ro, before)
            self._emit(ro, [EventMessage("Warning", OWNERSHIP_CONFLICT, conflict_message(owners))])
            return Result(status_changed=changed)
        return self._carry(seen, ro)

    def _carry(self, seen: Wire, ro: RolloutOrchestrator) -> Result:
        before = ro.copy()
        observed = observe(ro, self.caches, self.settings.current())
        decision = decide_spec(ro, observed, self.clock.now())
        self._emit_problems(ro, observed, decision)
        seen, ro = self._store_spec(seen, ro, decision)
        strategy = strategy_of(ro, observed)
        stored = ro.status.copy()
        self._record_decision(ro, decision)
        if is_over(ro) and not has_failed(ro):
            recreated = self.stages.recreate_deleted(ro)
            if recreated.error is not None:
                # The pass would create it held.
                raise recreated.error
        result = self.stages.reconcile(ro, strategy)
        self._explain(ro, decision, strategy)
        changed = self._store_status(seen, ro, stored)
        delays = [*result.requeue_after, *self._emit_progress(before, ro, strategy), *self._until_timeout(ro)]
        self.events.emit_refusal(ro, result.unfinished)
        not_planned = None if isinstance(decision.error, InvalidRollout) else decision.error
        return Result(
            error=result.error,
            unfinished=not_planned or result.unfinished,
            requeue_after=tuple(sorted(delays)),
            status_changed=changed,
        )

    # Decisions

    def _record_decision(self, ro: RolloutOrchestrator, decision: SpecDecision) -> None:
        """Record the targets that were planned for; mark an RO failed whose spec cannot be planned from."""
        if isinstance(decision.error, InvalidRollout):
            now = self.clock.now()
            ro.status.conditions.initialize(now)
            ro.mark_stage_revision_failed(str(decision.error), now)
            ro.status.observed_generation = ro.metadata.generation
            self.events.emit(ro, "Warning", "InvalidRollout", str(decision.error))
        elif decision.error is None and ro.spec.stage_target_revisions and not has_failed(ro):
            ro.status.annotations[PLANNED_TARGETS] = record_of(ro.spec.target_revisions)

    def _explain(self, ro: RolloutOrchestrator, decision: SpecDecision, strategy: Strategy) -> None:
        """State in the conditions what a stage waits for, and why a late one does not go on; that in an Event, too.

        A stage that this very pass completed is not late.
        """
        now = self.clock.now()
        missing = self.stages.missing_evidence(ro) if pending_step(ro, strategy) == STAGE_SCALE_UP_READY else []
        if missing:
            for type_ in (STAGE_SCALE_UP_READY, STAGE_READY):
                ro.mark_stage_in_progress(type_, now, "; ".join(missing))
        if decision.late is not None and ro.status.conditions.is_unknown(STAGE_READY):
            ro.status.conditions.mark_unknown(STAGE_READY, TIMED_OUT, timeout_message(decision.late), now)
            self._emit(ro, [timeout_event(decision.late)])

    def _until_timeout(self, ro: RolloutOrchestrator) -> list[float]:
        """The delay after which the stage is late; none where it has no time-out, or is late already."""
        try:
            left = seconds_left(ro, self.clock.now())
        except InvalidRollout:
            return []
        return [left + 1.0] if left else []

    # Writes

    def _store_spec(
        self, seen: Wire, ro: RolloutOrchestrator, decision: SpecDecision
    ) -> tuple[Wire, RolloutOrchestrator]:
        """Write the spec where it differs; returns the RO as it is stored now, on the wire and as an object."""
        patch = spec_patch(ro.spec, decision.spec)
        if not patch:
            return seen, ro
        stored = self.rollouts.patch(seen, {"spec": patch})
        after = RolloutOrchestrator.from_dict(stored)
        self._emit(after, events_of_spec(ro, after))
        return stored, after

    def _store_status(self, seen: Wire, ro: RolloutOrchestrator, before: RolloutStatus) -> bool:
        """Write the status where it says something else than before. Conditions that say the same keep their times."""
        mark_progress(ro, self.clock.now())
        ro.status.conditions.keep_times_of(before.conditions)
        if ro.status.equals_except_times(before):
            return False
        self.rollouts.patch(seen, {"status": merge_patch(before.to_dict(), ro.status.to_dict())}, "status")
        return True

    def _leave_status(self, seen: Wire, ro: RolloutOrchestrator) -> None:
        """Remove what only this loop would ever remove from a status that another controller owns."""
        before = ro.status.copy()
        if unmark_progress(ro.status.conditions):
            self.rollouts.patch(seen, {"status": merge_patch(before.to_dict(), ro.status.to_dict())}, "status")

    # Events

    def _emit(self, ro: RolloutOrchestrator, events: Iterable[EventMessage]) -> None:
        for event in events:
            _LOG.info("RolloutOrchestrator %s/%s: %s: %s", ro.namespace, ro.name, event.reason, event.message)
            self.events.emit(ro, *event)

    def _emit_progress(
        self, before: RolloutOrchestrator, after: RolloutOrchestrator, strategy: Strategy
    ) -> list[float]:
        """Emit what the reconcile achieved and what the stage waits for; returns when to reconcile again for that."""
        self._emit(after, events_of_status(before, after, observe_running(after, self.caches)))
        absences = self.stages.absences(after)
        if absences:
            # A Revision that does not exist is not waited for.
            message = f"the stage cannot be done: {', '.join(absences)}"
            self.events.emit(after, "Warning", REVISION_MISSING, message)
            return []
        waiting = waiting_for(after, strategy)
        if waiting is None:
            return []
        delay = seconds_until_waiting(after, strategy, self.clock.now())
        if delay > 0:
            return [delay]
        # Emitted at every reconcile, since Events expire; the recorder sends repetitions rarely.
        self.events.emit(after, "Normal", WAITING, waiting)
        return []

    def _emit_problems(self, ro: RolloutOrchestrator, observed: Observed, decision: SpecDecision) -> None:
        """Emit an Event for each setting without effect, each note, and why the next stage is not planned."""
        for setting in observed.ignored_settings:
            self.events.emit(ro, "Warning", setting.reason, setting.message)
        for note in decision.notes:
            self.events.emit(ro, "Warning", note.reason, note.message)
        if decision.error is not None and not isinstance(decision.error, InvalidRollout):
            self.events.emit(ro, "Warning", "NotPlanned", f"the next stage is not planned: {decision.error}")
