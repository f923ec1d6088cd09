"""The rollout controller: one reconcile of one RO and of the SPAs that belong to it."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from webhook.api import InvalidRollout, MalformedObject, RolloutOrchestrator, StagePodAutoscaler
from webhook.api.conditions import STAGE_READY, STAGE_SCALE_UP_READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import Wire
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.indexer import uid_of
from webhook.cluster.merge_patch import merge_patch
from webhook.loop.caches import BY_OWNER, BY_REVISION, BY_SERVICE, Caches
from webhook.loop.event_messages import (
    WAITING,
    News,
    late_message,
    late_news,
    news_of_spec,
    news_of_status,
    pending_step,
    waiting_for,
)
from webhook.loop.event_sink import ClusterEvents
from webhook.loop.kstatus import mark_progress, unmark_progress
from webhook.loop.observation import observe
from webhook.loop.ownership_conflict import REVISION_SHARED, is_over, moved_by, shared_by, shared_message, stand_still
from webhook.loop.planned_targets import PLANNED_TARGETS, record_of
from webhook.loop.pods import ClusterPods
from webhook.loop.reconcile import RolloutReconciler
from webhook.loop.reverts import Reverts
from webhook.loop.revisions import Revisions
from webhook.loop.rollout_settings import ClusterSettings, ConfigMapSettings, ignored_annotations
from webhook.loop.spa_defaulting import completion_patch, rollout_name_of
from webhook.loop.spa_status import fed_status
from webhook.loop.spec_decision import Observed, SpecDecision, decide_spec, spec_patch, strategy_of
from webhook.loop.timeout import TIMED_OUT, seconds_left
from webhook.loop.writer import Writer
from webhook.planning.next_stage import has_failed
from webhook.strategies import Strategy

_LOG: Final = logging.getLogger(__name__)

WRITE_REFUSED: Final = "WriteRefused"
"""Reason of the Event when the API server, or an admission webhook, refuses what the loop wants to store."""
FAULT: Final = "InternalError"
"""Reason of the Event when the program fails on a rollout, in a way that no object explains."""
REVISION_MISSING: Final = "RevisionMissing"
"""Reason of the Event when a stage stands still because somebody deleted a Revision that it moves."""


@dataclass(slots=True)
class Outcome:
    """What a reconcile leaves to do: look again at once, after some seconds, or after a failure."""

    again: bool = False
    after: float | None = None
    error: Exception | None = None

    def come_back(self, seconds: float) -> None:
        self.after = seconds if self.after is None else min(self.after, seconds)


@dataclass(slots=True)
class Steps:
    """What the loop does of its own: all of it, or with ``carry`` False the completion of SPAs alone."""

    carry: bool = True


@dataclass(slots=True)
class RolloutController:
    """Brings one RO a step further. Called for one RO by one thread at a time."""

    caches: Caches
    rollouts: Writer
    spas: Writer
    pods: ClusterPods
    revisions: Revisions
    passes: RolloutReconciler
    reverts: Reverts
    events: ClusterEvents
    clock: Clock
    settings: ClusterSettings
    steps: Steps = field(default_factory=Steps)

    def reconcile(self, namespace: str, name: str) -> Outcome:
        """Complete and feed the SPAs, decide the spec, carry out the pass, write what differs. Raises ApiError."""
        seen = self.caches.rollouts.get(namespace, name)
        if seen is None or (seen.get("metadata") or {}).get("deletionTimestamp"):
            return Outcome()
        ro = RolloutOrchestrator.from_dict(seen)
        outcome = Outcome(error=self._see_to_spas(ro))
        try:
            if not self.steps.carry:
                self._leave_status(seen, ro)
            elif not self._stands_still(seen, ro):
                self._carry(seen, ro, outcome)
        except ApiError as problem:
            self._say_refusal(ro, problem)
            raise
        except MalformedObject:
            raise
        except Exception as fault:
            # Its own words mean nothing to people, and the worker logs it whole.
            self.events.emit(ro, "Warning", FAULT, f"{type(fault).__name__} in the loop: its log has the traceback")
            raise
        return outcome

    def reconcile_spa(self, namespace: str, name: str) -> Outcome:
        """Feed an SPA that belongs to no rollout. Raises ApiError."""
        seen = self.caches.spas.get(namespace, name)
        if seen is not None and self.steps.carry:
            try:
                self._feed(seen)
            except ApiError as problem:
                self._say_refusal(StagePodAutoscaler.from_dict(seen), problem)
                raise
        return Outcome()

    def rollout_of(self, spa: Wire) -> str | None:
        """The name of the RO that an SPA belongs to."""
        metadata = spa.get("metadata") or {}
        namespace = metadata.get("namespace") or ""
        listing = self.caches.rollouts.store.by_index(BY_REVISION, f"{namespace}/{metadata.get('name')}")
        return rollout_name_of(spa, lambda name: self.caches.rollouts.get(namespace, name), listing)

    # SPAs

    def _see_to_spas(self, ro: RolloutOrchestrator) -> Exception | None:
        """Complete and feed what belongs to the RO. One that fails does not hold up the others."""
        problem: Exception | None = None
        for spa in self._spas_of(ro):
            try:
                completed = self._complete(spa, ro)
                if self.steps.carry:
                    self._feed(completed)
            except (ApiError, MalformedObject) as error:
                self._say_refusal(ro, error)
                if problem is not None:
                    _LOG.warning("RolloutOrchestrator %s/%s: %s", ro.namespace, ro.name, error)
                problem = problem or error
        return problem

    def _spas_of(self, ro: RolloutOrchestrator) -> Iterable[Wire]:
        store = self.caches.spas.store
        found = {one["metadata"]["name"]: one for one in store.by_index(BY_SERVICE, f"{ro.namespace}/{ro.name}")}
        found |= {one["metadata"]["name"]: one for one in store.by_index(BY_OWNER, ro.metadata.uid)}
        lists = (ro.spec.stage_target_revisions, ro.spec.target_revisions, ro.spec.initial_revisions)
        for revision in {entry.revision_name for entries in lists for entry in entries} - found.keys():
            one = self.caches.spas.get(ro.namespace, revision)
            if one is not None:
                found[revision] = one
        return [found[key] for key in sorted(found) if self.rollout_of(found[key]) == ro.name]

    def _complete(self, seen: Wire, ro: RolloutOrchestrator) -> Wire:
        if (seen.get("metadata") or {}).get("deletionTimestamp"):
            return seen
        patch = completion_patch(StagePodAutoscaler.from_dict(seen), ro)
        if self.reverts.knows(ro.namespace, seen["metadata"]["name"], uid_of(seen)):
            # Somebody removed a bound; to fill it in here would set it back unseen, again and again.
            patch.pop("spec", None)
        if not patch:
            return seen
        completed = self.spas.patch(seen, patch)
        _LOG.info("completed StagePodAutoscaler %s/%s: %s", ro.namespace, seen["metadata"]["name"], _members(patch))
        return completed

    def _feed(self, seen: Wire) -> None:
        """Write the status of an SPA if it is not what is seen of its PodAutoscaler and pods; nothing if unseen."""
        spa = StagePodAutoscaler.from_dict(seen)
        if not self.caches.pod_autoscalers.synced:
            return
        terminating = self.pods.count_running_out(spa.namespace, spa.name)
        if terminating is None:
            return
        pod_autoscaler = self.caches.pod_autoscalers.get(spa.namespace, spa.name)
        status = fed_status(spa, pod_autoscaler, terminating, self.clock.now())
        patch = merge_patch(spa.status_dict(), status)
        if patch:
            self.spas.patch(seen, {"status": patch}, "status")

    # The RO

    def _stands_still(self, seen: Wire, ro: RolloutOrchestrator) -> bool:
        """Whether it would move what belongs to another rollout; then it moves nothing, and says why."""
        spas, rollouts = self.caches.spas, self.caches.rollouts.store
        found = {name: spa for name in moved_by(ro) if (spa := spas.get(ro.namespace, name)) is not None}
        owners = {name: self.rollout_of(spa) for name, spa in found.items()}
        shared = shared_by(
            ro, owners, {name: rollouts.by_index(BY_REVISION, f"{ro.namespace}/{name}") for name in found}
        )
        if shared:
            was = ro.status.copy()
            stand_still(ro, shared, self.clock.now())
            self._store_status(seen, ro, was)
            self._tell(ro, [News("Warning", REVISION_SHARED, shared_message(shared))])
        return bool(shared)

    def _carry(self, seen: Wire, ro: RolloutOrchestrator, outcome: Outcome) -> None:
        before = ro.copy()
        settings = self.settings.current()
        observed = observe(ro, self.caches, settings.data)
        self._say_settings(ro, settings, observed)
        decision = decide_spec(ro, observed, self.clock.now())
        seen, ro = self._store_spec(seen, ro, decision)
        strategy = strategy_of(ro, observed)
        was = ro.status.copy()
        if isinstance(decision.error, InvalidRollout):
            self._fail(ro, decision.error)
        elif decision.error is None and ro.spec.stage_target_revisions and not has_failed(ro):
            ro.status.annotations[PLANNED_TARGETS] = record_of(ro.spec.target_revisions)
        result = self.passes.reconcile(ro, strategy)
        self._overlay(ro, decision, strategy)
        outcome.again = self._store_status(seen, ro, was)
        absences = self._absences(ro)
        # What does not exist is not waited for.
        news = news_of_status(before, ro, self._running(ro), strategy)
        self._tell(ro, (one for one in news if not absences or one.reason != WAITING))
        if absences:
            self.events.emit(ro, "Warning", REVISION_MISSING, f"the stage cannot be done: {', '.join(absences)}")
        else:
            self._remind(before, ro, strategy)
        self._say_problem(ro, decision)
        for delay in result.enqueue_after:
            outcome.come_back(delay)
        left = seconds_left_of(ro, self.clock)
        if left:
            outcome.come_back(left + 1.0)
        if result.error is not None and result.retry:
            outcome.error = result.error
        elif decision.error is not None and not isinstance(decision.error, InvalidRollout):
            outcome.error = outcome.error or decision.error
        elif result.retry:
            outcome.error = outcome.error or result.unfinished
        self._say_refusal(ro, result.unfinished)

    def _store_status(self, seen: Wire, ro: RolloutOrchestrator, was: RolloutStatus) -> bool:
        """Write the status where it says something else than before; conditions that do not keep their times."""
        mark_progress(ro, self.clock.now())
        ro.status.conditions.keep_times_of(was.conditions)
        if ro.status.equals_except_times(was):
            return False
        self.rollouts.patch(seen, {"status": merge_patch(was.to_dict(), ro.status.to_dict())}, "status")
        return True

    def _leave_status(self, seen: Wire, ro: RolloutOrchestrator) -> None:
        """Remove from a status that is another controller's what only this loop would ever remove again."""
        was = ro.status.copy()
        if unmark_progress(ro.status.conditions):
            self.rollouts.patch(seen, {"status": merge_patch(was.to_dict(), ro.status.to_dict())}, "status")

    def _store_spec(
        self, seen: Wire, ro: RolloutOrchestrator, decision: SpecDecision
    ) -> tuple[Wire, RolloutOrchestrator]:
        patch = spec_patch(ro.spec, decision.spec)
        if not patch:
            return seen, ro
        stored = self.rollouts.patch(seen, {"spec": patch})
        after = RolloutOrchestrator.from_dict(stored)
        self._tell(after, news_of_spec(ro, after))
        return stored, after

    def _fail(self, ro: RolloutOrchestrator, error: InvalidRollout) -> None:
        """Mark the RO failed for the spec it has; the pass then only cleans up."""
        ro.status.conditions.initialize(self.clock.now())
        ro.mark_stage_revision_failed(str(error), self.clock.now())
        ro.status.observed_generation = ro.metadata.generation
        self.events.emit(ro, "Warning", "InvalidRollout", str(error))

    def _overlay(self, ro: RolloutOrchestrator, decision: SpecDecision, strategy: Strategy) -> None:
        """Say on the conditions what a stage waits for, and why a late one stands still, that also in an Event.

        Not if this very pass finished it.
        """
        missing = self.passes.missing_evidence(ro) if pending_step(ro, strategy) == STAGE_SCALE_UP_READY else []
        if missing:
            for type_ in (STAGE_SCALE_UP_READY, STAGE_READY):
                ro.mark_stage_in_progress(type_, self.clock.now(), "; ".join(missing))
        if decision.late is not None and ro.status.conditions.is_unknown(STAGE_READY):
            ro.status.conditions.mark_unknown(STAGE_READY, TIMED_OUT, late_message(decision.late), self.clock.now())
            self._tell(ro, [late_news(decision.late)])

    def _running(self, ro: RolloutOrchestrator) -> dict[str, int | None]:
        """The replicas that run of the revisions of the stage and of what is recorded, by name."""
        lists = (ro.spec.stage_target_revisions, ro.spec.initial_revisions, ro.status.stage_revision_status)
        names = {entry.revision_name for entries in lists for entry in entries}
        seen = {name: self.caches.spas.get(ro.namespace, name) for name in names}
        return {name: StagePodAutoscaler.from_dict(spa).actual_scale for name, spa in seen.items() if spa is not None}

    def _tell(self, ro: RolloutOrchestrator, news: Iterable[News]) -> None:
        for one in news:
            _LOG.info("RolloutOrchestrator %s/%s: %s: %s", ro.namespace, ro.name, one.reason, one.message)
            self.events.emit(ro, *one)

    def _remind(self, before: RolloutOrchestrator, after: RolloutOrchestrator, strategy: Strategy) -> None:
        """Tell again what is still waited for: Events expire, and the recorder keeps repetitions rare."""
        waiting = waiting_for(after, strategy)
        if waiting is not None and waiting == waiting_for(before, strategy):
            self.events.emit(after, "Normal", WAITING, waiting)

    def _say_settings(self, ro: RolloutOrchestrator, settings: ConfigMapSettings, observed: Observed) -> None:
        """Emit an Event for each setting that has no effect; of the ConfigMap only while the rollout is unfinished."""
        service = self.caches.services.get(ro.namespace, ro.name)
        of_all = [] if is_over(ro) else settings.events
        for event in (*of_all, *ignored_annotations(ro, observed.config, service)):
            self.events.emit(ro, "Warning", event.reason, event.message)

    def _say_problem(self, ro: RolloutOrchestrator, decision: SpecDecision) -> None:
        for note in decision.notes:
            self.events.emit(ro, "Warning", note.reason, note.message)
        if decision.error is not None and not isinstance(decision.error, InvalidRollout):
            self.events.emit(ro, "Warning", "NotPlanned", f"the next stage is not planned: {decision.error}")

    def _say_refusal(self, of: RolloutOrchestrator | StagePodAutoscaler, problem: Exception | None) -> None:
        if isinstance(problem, ApiError) and problem.is_refusal:
            self.events.emit(of, "Warning", WRITE_REFUSED, str(problem))

    def _absences(self, ro: RolloutOrchestrator) -> list[str]:
        """Why revisions that an unfinished stage moves surely do not exist, one text for each."""
        if not ro.status.conditions.is_unknown(STAGE_READY):
            return []
        stage = one_per_revision(ro.spec.stage_target_revisions)
        moved = [entry.revision_name for entry in stage if entry.goes_up or entry.goes_down]
        absences = (self.revisions.absence(ro.namespace, name, ro.name) for name in moved)
        return [absence for absence in absences if absence is not None]


def seconds_left_of(ro: RolloutOrchestrator, clock: Clock) -> float | None:
    """``seconds_left`` for an RO that may be invalid."""
    try:
        return seconds_left(ro, clock.now())
    except InvalidRollout:
        return None


def service_of(one: Wire) -> str | None:
    """The service label of an object."""
    label = ((one.get("metadata") or {}).get("labels") or {}).get(SERVICE_LABEL)
    return str(label) if label else None


def _members(patch: Wire) -> str:
    return ", ".join(f"{parent}.{name}" for parent, members in patch.items() for name in members)
