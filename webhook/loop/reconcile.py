"""The pass: one look at a rollout, from its spec and its SPAs to the writes that differ and its new status."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from webhook.api import (
    InvalidRollout,
    MalformedObject,
    MissingObservation,
    RolloutOrchestrator,
    StagePodAutoscaler,
)
from webhook.api.conditions import LAST_STAGE_READY, STAGE_READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import format_time
from webhook.cluster.errors import ApiError, Conflict
from webhook.loop.grace_period import GRACE, SPA_DELETED, SPA_EARLY, MissingSince, is_foreign, spared_until
from webhook.loop.planned_writes import ComeBack, CreateSPA, DeletePod, Draft, Intent, Tell, UpdateSPA
from webhook.loop.read_your_writes import Overlay
from webhook.loop.reverts import Reverts
from webhook.loop.revisions import Revisions
from webhook.loop.stage_pass import NothingGoesUp, carry_stage
from webhook.strategies import RevisionConditionLister, Strategy, new_rollout_strategy
from webhook.strategies.evidence import NoConditions, missing_evidence
from webhook.strategies.protocols import EventSink, PodClient, SPAClient, SPALister

_LOG: Final = logging.getLogger(__name__)


class SPADeleter(Protocol):
    """Deletes SPAs, on condition that uid and resource version are still those it was read with."""

    def delete(self, spa: StagePodAutoscaler) -> str | None:
        """Why it has no Revision, which is why it was deleted; None if it has one after all and stays.

        Raises the client's error; an SPA that is gone already is none.
        """
        ...


@dataclass(frozen=True, slots=True)
class PassResult:
    """What the caller has to do after a pass; the RO given to it carries the new status."""

    error: Exception | None = None
    """None, or why the pass did not go through; ``InvalidRollout`` when the spec can never be carried out."""
    retry: bool = False
    """Whether to come back with backoff. False for an error that only another spec can mend."""
    enqueue_after: tuple[float, ...] = ()
    """Delays in seconds, sorted, one per request to come back later; the shortest is enough for a work queue."""
    unfinished: Exception | None = None
    """Why something beside the stage has to be tried again: an SPA that was not deleted, pods that were not listed."""
    status_changed: bool = False
    """Whether the RO's status has to be written: it differs from the one given, times of conditions ignored."""


class PodsUnseen(Exception):
    """The terminating pods of a rollout could not be listed; the pod client logs why."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class RolloutReconciler:
    """Carries out one pass over an RO that was read from a cache or the API, and whose copy the caller owns.

    Only ``ro.status`` is changed; the caller writes it, conditional on ``ro.metadata.resource_version``, when
    ``status_changed`` says so. SPAs and pods are written through the clients given here, each on condition of the
    version that was read, and only where something differs. The SPA lister may be a cache: what a pass wrote is seen
    by its own later reads.
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
    ) -> None:
        """``force_delete`` False never deletes a pod that hangs in termination.

        ``grace`` is how long an SPA without a Revision is spared; since when it has none is remembered here.
        ``conditions`` reads what Knative says of a revision (nothing when absent).
        ``reverts`` is what is known of bounds that other clients changed, None for nothing yet.
        """
        self._spas = spas
        self._lister = lister
        self._pods = pods
        self._revisions = revisions
        self._deleter = deleter
        self._events = events
        self._clock = clock
        self._force_delete = force_delete
        self._grace = grace
        self._missing_since = MissingSince()
        self._conditions = conditions or NoConditions()
        self._reverts = reverts or Reverts()

    def reconcile_kind(self, ro: RolloutOrchestrator, strategy: Strategy) -> PassResult:
        """The pass alone, as upstream's ReconcileKind: no preparation, no event of its own, no generation observed.

        ``strategy`` is the one in force, which need not be that of the spec.

        A spec that can never be carried out marks the RO failed, and none of its writes is sent; a failed RO stays as
        it is until its generation changes. SPAs without a Revision are deleted in any case, after their grace period.

        Raises what is neither of this spec nor of a request: a fault of the program, which only its log can explain.
        """
        before = ro.status.copy()
        error: Exception | None = None
        delays: list[float] = []
        stored = Overlay(self._lister)
        draft = Draft(ro, self._lister, self._pods)
        if ro.spec.stage_target_revisions and not _has_failed(ro):
            try:
                self._decide(ro, strategy, draft)
            except InvalidRollout as invalid:
                draft.entries.clear()
                ro.status = before.copy()
                ro.mark_stage_revision_failed(str(invalid), self._clock())
                error = invalid
            except (MissingObservation, NothingGoesUp) as problem:
                error = problem
            error = self._send(ro, draft, stored, delays) or error
        unfinished = self._clean_up(ro, stored, delays)
        if draft.pods_unseen:
            unfinished = unfinished or PodsUnseen(f"cannot list the terminating pods of {ro.namespace}/{ro.name}")
        return PassResult(
            error=error,
            retry=unfinished is not None or _is_worth_retrying(error),
            unfinished=unfinished,
            enqueue_after=tuple(sorted(delays)),
            status_changed=not ro.status.equals_except_times(before),
        )

    def reconcile(self, ro: RolloutOrchestrator, strategy: Strategy) -> PassResult:
        """The pass as upstream's generated controller wraps it; an RO with a deletion time is not touched at all.

        Before: missing conditions are added, and a new generation makes Ready Unknown. After, also after an error: the
        generation is observed, a condition that says what it said keeps its time, an error is told in an Event (a
        conflict is not: it is no trouble, and is over with the next pass).
        """
        if ro.metadata.deletion_timestamp:
            return PassResult()
        before = ro.status.copy()
        observe_generation(ro, self._clock())
        result = self.reconcile_kind(ro, strategy)
        ro.status.observed_generation = ro.metadata.generation
        ro.status.conditions.keep_times_of(before.conditions)
        if result.error is not None and not isinstance(result.error, Conflict):
            reason = "InvalidRollout" if isinstance(result.error, InvalidRollout) else "InternalError"
            self._events.emit(ro, "Warning", reason, str(result.error))
        return replace(result, status_changed=not ro.status.equals_except_times(before))

    def missing_evidence(self, ro: RolloutOrchestrator) -> list[str]:
        """What keeps the revisions that go up from having shown that they can run, in words; see there."""
        return [
            missing
            for entry in one_per_revision(ro.spec.stage_target_revisions)
            if entry.goes_up
            and (
                missing := missing_evidence(
                    self._lister.get(ro.namespace, entry.revision_name),
                    entry,
                    self._conditions.conditions(ro.namespace, entry.revision_name),
                )
            )
        ]

    def _decide(self, ro: RolloutOrchestrator, strategy: Strategy, draft: Draft) -> None:
        strategies = new_rollout_strategy(
            draft,
            draft,
            draft,
            clock=self._clock,
            events=draft,
            revisions=self._revisions,
            conditions=self._conditions,
            force_delete=self._force_delete,
        )
        carry_stage(ro, strategy, strategies, draft, draft, self._conditions, draft.enqueue_after, self._clock)

    def _send(self, ro: RolloutOrchestrator, draft: Draft, stored: Overlay, delays: list[float]) -> Exception | None:
        """Carry the draft out up to the first write that fails; the status is then the one before that write."""
        for entry in draft.worth_sending(self._revisions.names(ro.namespace, ro.name)):
            try:
                self._carry_out(ro, entry.intent, stored, delays)
            except (ApiError, MalformedObject) as problem:
                ro.status = entry.status_before
                return problem
        return None

    def _carry_out(self, ro: RolloutOrchestrator, intent: Intent, stored: Overlay, delays: list[float]) -> None:
        match intent:
            case CreateSPA(spa):
                created = self._spas.create(spa)
                stored.put(created)
                self._reverts.stored(created)
            case UpdateSPA(spa):
                self._set_bounds(ro, spa, stored, delays)
            case DeletePod(pod):
                self._pods.delete_now(pod)
            case Tell(type_, reason, message):
                self._events.emit(ro, type_, reason, message)
            case ComeBack(seconds):
                delays.append(seconds)

    def _set_bounds(
        self, ro: RolloutOrchestrator, spa: StagePodAutoscaler, stored: Overlay, delays: list[float]
    ) -> None:
        """Store the bounds of an SPA, unless that would set harmless ones back too soon after the last time."""
        found = stored.written(spa) or self._lister.get(spa.namespace, spa.name) or spa
        decision = self._reverts.decide(ro, found, spa.bounds)
        if decision.wait:
            delays.append(decision.wait)
            return
        # A second write to the same SPA goes on top of what the first one stored.
        present = stored.written(spa) or spa
        updated = self._spas.update(present.with_bounds(*spa.bounds))
        stored.put(updated)
        if decision.reverts:
            self._reverts.reverted(ro, found, updated, decision)
        else:
            self._reverts.stored(updated)

    def _clean_up(self, ro: RolloutOrchestrator, stored: Overlay, delays: list[float]) -> Exception | None:
        """Delete the SPAs of this service whose Revision does not exist; answers why the first was not, if one was not.

        One that cannot be deleted does not hold up the others. One whose grace period has not ended is spared, and asks
        for another pass when it has.
        """
        revisions = self._revisions.names(ro.namespace, ro.name)
        if revisions is None:
            return None
        now = self._clock()
        problem: Exception | None = None
        without = [spa for spa in stored.list(ro.namespace, {SERVICE_LABEL: ro.name}) if spa.name not in revisions]
        since = self._missing_since.of(ro.namespace, ro.name, without, now)
        for spa in without:
            try:
                until = spared_until(spa, since[spa.name], self._grace)
                if until is not None and until > now:
                    delays.append(max(1.0, (until - now).total_seconds()))
                    self._events.emit(ro, "Normal", SPA_EARLY, self._early_message(ro, spa, until))
                elif (absence := self._deleter.delete(spa)) is not None:
                    self._events.emit(ro, *deletion_event(spa, absence))
            except (ApiError, MalformedObject) as error:
                if problem is not None:
                    _LOG.warning("RolloutOrchestrator %s/%s: %s", ro.namespace, ro.name, error)
                problem = problem or error
        return problem

    def _early_message(self, ro: RolloutOrchestrator, spa: StagePodAutoscaler, until: datetime) -> str:
        absence = self._revisions.absence(ro.namespace, spa.name, ro.name) or f"no Revision {spa.name}"
        return f"StagePodAutoscaler {spa.name} is deleted after {format_time(until)}: {absence}"


def deletion_event(spa: StagePodAutoscaler, absence: str) -> tuple[str, str, str]:
    """Type, reason and message of the Event for an SPA that was deleted."""
    message = f"StagePodAutoscaler {spa.name} was deleted: {absence}"
    if is_foreign(spa):
        return "Warning", SPA_DELETED, f"{message}; apply it with its Revision, or leave it out: the loop makes it"
    return "Normal", SPA_DELETED, message


def observe_generation(ro: RolloutOrchestrator, now: datetime) -> None:
    """Prepare the status of an RO for a pass: add missing conditions; a new generation makes Ready Unknown.

    A new generation gives a failed rollout another chance: StageReady and LastStageReady become Unknown too.
    """
    conditions = ro.status.conditions
    conditions.initialize(now)
    if ro.status.observed_generation != ro.metadata.generation:
        if conditions.is_false(STAGE_READY):
            ro.mark_new_generation(now, STAGE_READY)
            ro.mark_new_generation(now, LAST_STAGE_READY)
        ro.mark_new_generation(now)


def _has_failed(ro: RolloutOrchestrator) -> bool:
    return ro.status.conditions.is_false(STAGE_READY) and ro.status.observed_generation == ro.metadata.generation


def _is_worth_retrying(error: Exception | None) -> bool:
    return error is not None and not isinstance(error, InvalidRollout | NothingGoesUp)
