"""The rollout reconciler: one reconcile of one RO and of the SPAs that belong to it."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from webhook.api import InvalidRollout, MalformedObject, RolloutOrchestrator
from webhook.api.reasons import ABORT_VOID, OWNERSHIP_CONFLICT
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.steering import ABORT_GROUP, PAUSE_GROUP, RETRY_GROUP, Abort
from webhook.api.wire import Wire
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.merge_patch import merge_patch
from webhook.loop.caches import Caches
from webhook.loop.event_messages import (
    ClusterEvents,
    EventMessage,
    Waiting,
    events_of_decision,
    events_of_spec,
    events_of_status,
    waiting,
)
from webhook.loop.observation import Observed, Observer
from webhook.loop.repeated_events import RepeatedEvents
from webhook.loop.resource_writer import ResourceWriter
from webhook.loop.result import Result
from webhook.loop.rollout_figures import stage_seconds
from webhook.loop.spa_reconciler import SPAReconciler
from webhook.loop.spec_decision import SpecDecision, decide_spec
from webhook.loop.stage_pass import StagePass
from webhook.loop.stage_status import (
    block,
    conflict_message,
    explain,
    mark_held,
    record_decision,
    settle_status,
    unmark_progress,
)
from webhook.loop.steering_decision import NOT_STEERED, Steered, decide_steering, present_keys
from webhook.loop.steering_status import count_stage, events_of_steering, mark_steering, record_abort
from webhook.planning import strategy_in_force
from webhook.strategies import STRATEGIES
from webhook.strategies.stage import Stage

_LOG: Final = logging.getLogger(__name__)

FAULT: Final = "InternalError"
"""Reason of the Event when the program fails on a rollout, in a way that no object explains."""


@dataclass(slots=True)
class RolloutReconciler:
    """Carries one RO on. Called for one RO by one thread at a time. ``stage_took`` gets the
    seconds of each stage that is done. With ``steps`` False it only defaults SPAs."""

    caches: Caches
    observer: Observer
    rollouts: ResourceWriter
    spas: SPAReconciler
    stages: StagePass
    events: ClusterEvents
    clock: Clock
    steps: bool = True
    stage_took: Callable[[float], None] = lambda _seconds: None
    _repeated: RepeatedEvents[EventMessage] = field(default_factory=RepeatedEvents)

    def reconcile(self, namespace: str, name: str) -> Result:
        """Update the SPAs, decide the spec, carry the stage on by one pass, write what differs. Raises ApiError."""
        seen = self.caches.rollouts.get(namespace, name)
        if seen is None or (seen.get("metadata") or {}).get("deletionTimestamp"):
            self._repeated.forget(namespace, name)
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
        owners = self.observer.conflict(ro)
        if owners:
            before = ro.status.copy()
            block(ro, owners, self.clock.now())
            _, changed = self._store_status(seen, ro, before)
            conflict = EventMessage("Warning", OWNERSHIP_CONFLICT, conflict_message(owners))
            self._log(ro, self._new(ro, [conflict]))
            self._emit(ro, [conflict], repeats=True)
            return Result(status_changed=changed)
        return self._carry(seen, ro)

    def _carry(self, seen: Wire, ro: RolloutOrchestrator) -> Result:
        """Observe, decide, store the spec, carry the stage on, explain, store the status; Events for all that."""
        now = self.clock.now()
        steered = decide_steering(ro, now)
        if steered.clear:
            seen = self._take_away(seen, steered.clear)
            ro = RolloutOrchestrator.from_dict(seen)
        self._emit(ro, self._new(ro, steered.events))
        observed = self.observer.observe(ro)
        if steered.begins is not None:
            return self._begin_abort(seen, ro, steered.begins, observed)
        view = steered.view(ro, now)
        before, is_paused = view.copy(), steered.pause is not None
        decision = decide_spec(view, observed, now, is_paused=is_paused, is_aborted=steered.record is not None)
        self._emit(ro, events_of_decision(observed, decision), repeats=True)
        seen, ro = self._store_spec(seen, ro, decision)
        stored = ro.status.copy()
        ro = steered.view(ro, now)
        stage, strategy = Stage.of(ro.spec), STRATEGIES[strategy_in_force(ro, observed.config)]
        record_decision(ro, decision, now)
        restored = self.stages.restore(ro, strategy)
        if restored.error is not None:
            # The pass would create an SPA held, or call the rollout complete.
            raise restored.error
        result = self.stages.reconcile(ro, strategy, is_paused=is_paused)
        explain(ro, stage, strategy, observed.revisions, decision.late, now)
        mark_held(ro, observed.is_held, observed.served, now)
        count_stage(stored, ro)
        is_done = ro.is_complete and not before.is_complete
        mark_steering(ro, steered, observed, now)
        seen, changed = self._store_status(seen, ro, stored)
        reached = events_of_status(before, ro, stage, strategy, observed.running)
        self._emit(ro, [*reached, *events_of_steering(stored, ro, steered)])
        cleared = self._clear_what_is_done(seen, ro, steered, is_done=is_done)
        seconds = stage_seconds(before, ro)
        if seconds is not None:
            self.stage_took(seconds)
        waits = Waiting() if is_paused else waiting(ro, stage, strategy, observed, now)
        self._emit(ro, waits.events, repeats=True)
        self.events.emit_refusal(ro, result.unfinished)
        not_planned = None if isinstance(decision.error, InvalidRollout) else decision.error
        again = () if decision.requeue_after is None else (decision.requeue_after + 1.0,)
        return Result(
            error=result.error,
            unfinished=not_planned or result.unfinished,
            requeue_after=tuple(sorted((*result.requeue_after, *waits.delays, *again, *steered.requeue_after))),
            status_changed=changed or cleared,
        )

    def _begin_abort(self, seen: Wire, ro: RolloutOrchestrator, abort: Abort, observed: Observed) -> Result:
        """Record an abort in the status; the next reconcile carries it out. One without a way back is taken away."""
        before = ro.status.copy()
        if record_abort(ro, abort, observed, self.clock.now()) is None:
            self._emit(ro, [EventMessage("Warning", ABORT_VOID, "the abort is void: there is no way back")])
            self._take_away(seen, present_keys(ro, ABORT_GROUP))
            return Result(status_changed=True)
        self._store_status(seen, ro, before)
        self._emit(ro, events_of_steering(before, ro, NOT_STEERED))
        return Result(status_changed=True)

    def _clear_what_is_done(self, seen: Wire, ro: RolloutOrchestrator, steered: Steered, *, is_done: bool) -> bool:
        """Take away a retry that was carried out, and a pause whose stage the rollout never came to; True if any."""
        keys = present_keys(ro, RETRY_GROUP) if steered.retry is not None else ()
        if steered.gate is not None and is_done:
            keys += present_keys(ro, PAUSE_GROUP)
        if keys:
            self._take_away(seen, keys)
        return bool(keys)

    # Writes

    def _store_spec(
        self, seen: Wire, ro: RolloutOrchestrator, decision: SpecDecision
    ) -> tuple[Wire, RolloutOrchestrator]:
        """Write the spec where it differs; returns the RO as it is stored now, on the wire and as an object."""
        if not decision.patch:
            return seen, ro
        stored = self.rollouts.patch(seen, {"spec": decision.patch})
        after = RolloutOrchestrator.from_dict(stored)
        self._emit(after, events_of_spec(ro, after))
        return stored, after

    def _store_status(self, seen: Wire, ro: RolloutOrchestrator, before: RolloutStatus) -> tuple[Wire, bool]:
        """Write the status where it says something else than before; returns the RO as stored, and whether it did."""
        if not settle_status(ro, before, self.clock.now()):
            return seen, False
        patch = {"status": merge_patch(before.to_dict(), ro.status.to_dict())}
        return self.rollouts.patch(seen, patch, "status"), True

    def _take_away(self, seen: Wire, annotations: Sequence[str]) -> Wire:
        """Remove annotations of the RO; returns it as stored."""
        return self.rollouts.patch(seen, {"metadata": {"annotations": dict.fromkeys(annotations)}})

    def _leave_status(self, seen: Wire, ro: RolloutOrchestrator) -> None:
        """Remove what only this loop would ever remove from a status that another controller owns."""
        before = ro.status.copy()
        if unmark_progress(ro.status.conditions):
            self.rollouts.patch(seen, {"status": merge_patch(before.to_dict(), ro.status.to_dict())}, "status")

    # Events

    def _emit(self, ro: RolloutOrchestrator, events: Sequence[EventMessage], *, repeats: bool = False) -> None:
        """Emit and log Events; with ``repeats`` those that every reconcile says again, which are not logged."""
        if not repeats:
            self._log(ro, events)
        for event in events:
            self.events.emit(ro, *event, repeats=repeats)

    def _log(self, ro: RolloutOrchestrator, events: Iterable[EventMessage]) -> None:
        for event in events:
            _LOG.info("RolloutOrchestrator %s/%s: %s: %s", ro.namespace, ro.name, event.reason, event.message)

    def _new(self, ro: RolloutOrchestrator, events: Iterable[EventMessage]) -> list[EventMessage]:
        """Those of these Events that the reconcile before did not have."""
        return self._repeated.new(ro.namespace, ro.name, ro.metadata.uid, events)
