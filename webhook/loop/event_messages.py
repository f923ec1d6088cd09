"""Events of a rollout: what the cluster, the decision and the pass are worth saying, and the sink that they go to."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import ABORTED, LAST_STAGE_READY, STAGE_READY
from webhook.api.reasons import NOT_PLANNED, REVISION_MISSING, TIMED_OUT, WAITING, WRITE_REFUSED
from webhook.api.target_revision import one_per_revision
from webhook.cluster.errors import ApiError
from webhook.cluster.events import Event, reference_to
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS
from webhook.loop.observation import Observed
from webhook.loop.spec_decision import SpecDecision
from webhook.planning.shift import seconds_left
from webhook.strategies import Strategy
from webhook.strategies.stage import Stage, described, replicas, traffic_of
from webhook.strategies.waiting import waiting_for, waiting_since

STAGE_STARTED: Final = "StageStarted"
TRAFFIC_SHIFTED: Final = "TrafficShifted"
STAGE_COMPLETE: Final = "StageComplete"
ROLLOUT_COMPLETE: Final = "RolloutComplete"
WAITING_AFTER: Final = 10.0
"""Seconds that a stage waits before an Event says so; most steps are done sooner."""


class EventMessage(NamedTuple):
    type: str
    reason: str
    message: str


class ClusterEvents:
    """The Event sink of a reconcile, on the cluster's recorder. ``record`` takes an Event without waiting."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record

    def emit(
        self,
        ro: RolloutOrchestrator | StagePodAutoscaler,
        type_: str,
        reason: str,
        message: str,
        *,
        repeats: bool = True,
    ) -> None:
        """Record an Event; ``repeats`` is that of ``Event``."""
        resource = STAGE_POD_AUTOSCALERS if isinstance(ro, StagePodAutoscaler) else ROLLOUT_ORCHESTRATORS
        self._record(Event(reference_to(resource, ro.metadata.wire), type_, reason, message, repeats))

    def emit_refusal(self, of: RolloutOrchestrator | StagePodAutoscaler, problem: Exception | None) -> None:
        """Emit an Event for a write that was refused; none for any other error, or None."""
        if isinstance(problem, ApiError) and problem.is_refusal:
            self.emit(of, "Warning", WRITE_REFUSED, str(problem))


def events_of_decision(observed: Observed, decision: SpecDecision) -> list[EventMessage]:
    """An Event for each setting without effect, each note of the decision, and why the next stage is not planned."""
    found = [*observed.ignored_settings, *decision.notes]
    events = [EventMessage("Warning", one.reason, one.message) for one in found]
    if isinstance(decision.error, InvalidRollout):
        events.append(EventMessage("Warning", "InvalidRollout", str(decision.error)))
    elif decision.error is not None:
        events.append(EventMessage("Warning", NOT_PLANNED, f"the next stage is not planned: {decision.error}"))
    return events


def events_of_spec(before: RolloutOrchestrator, after: RolloutOrchestrator) -> list[EventMessage]:
    """The Event for a stage that begins, or for a late one whose traffic is shifted.

    A stage that was removed, and is set again to what the record says was reached, does not begin.
    """
    was, now = before.spec.stage_target_revisions, after.spec.stage_target_revisions
    recorded = before.status.stage_revision_status
    if was == now or not now or (not was and recorded and _shares(now) == _shares(recorded)):
        return []
    on_its_way = not before.status.conditions.is_true(STAGE_READY)
    if was and on_its_way and [_without_percent(entry) for entry in was] == [_without_percent(entry) for entry in now]:
        since = before.spec.target_finish_time
        return [EventMessage("Normal", TRAFFIC_SHIFTED, f"the stage was not done by {since}: now {described(now)}")]
    return [EventMessage("Normal", STAGE_STARTED, described(now))]


def events_of_status(
    before: RolloutOrchestrator,
    after: RolloutOrchestrator,
    stage: Stage,
    strategy: Strategy,
    running: Mapping[str, int | None],
) -> list[EventMessage]:
    """The Events for steps and stages that are done, and for a stage whose condition now states that it is late.

    The end of the last stage is that of the rollout, unless it was aborted, which an Event of its own says. The last
    step of a stage has no Event of its own, since that of the stage says the same. ``running`` holds the replicas that
    run, by revision name; None, or no entry, where that is not known.
    """
    was, now = before.status.conditions, after.status.conditions

    def became_true(type_: str) -> bool:
        return was.get(type_) is not None and not was.is_true(type_) and now.is_true(type_)

    is_stage_done = became_true(LAST_STAGE_READY) or became_true(STAGE_READY)
    events = [
        EventMessage("Normal", step.reason, step.has_reached(stage, running))
        for step in strategy.steps
        if became_true(step.condition) and not (is_stage_done and step is strategy.steps[-1])
    ]
    if became_true(LAST_STAGE_READY) and after.status.conditions.get(ABORTED) is None:
        events.append(EventMessage("Normal", ROLLOUT_COMPLETE, _reached(after, running)))
    elif became_true(STAGE_READY) and not became_true(LAST_STAGE_READY):
        events.append(EventMessage("Normal", STAGE_COMPLETE, _reached(after, running)))
    return [*events, *(event for event in _lateness(after) if event not in _lateness(before))]


def _lateness(ro: RolloutOrchestrator) -> list[EventMessage]:
    """The Event for a stage whose condition states that it is late."""
    stage_ready = ro.status.conditions.get(STAGE_READY)
    if stage_ready is None or stage_ready.reason != TIMED_OUT:
        return []
    return [EventMessage("Warning", TIMED_OUT, stage_ready.message)]


class Waiting(NamedTuple):
    """What a stage waits for: the Events that say so, and the delays after which the next is due or the stage late."""

    events: Sequence[EventMessage] = ()
    delays: Sequence[float] = ()


def waiting(ro: RolloutOrchestrator, stage: Stage, strategy: Strategy, observed: Observed, now: datetime) -> Waiting:
    """What keeps the stage from being done: it is late, a Revision does not exist, or a step takes long.

    The same Events come at every reconcile, since Events expire; the recorder sends repetitions rarely.
    """
    if not ro.status.conditions.is_unknown(STAGE_READY):
        return Waiting()
    events = _lateness(ro)
    delays = _until_late(ro, now)
    absences = [one.absence for name in stage.moved if (one := observed.revisions.get(name)) and one.absence]
    wanted = waiting_for(ro, stage, strategy)
    if absences:
        # A Revision that does not exist is not waited for.
        impossible = f"the stage cannot be done: {', '.join(absences)}"
        events.append(EventMessage("Warning", REVISION_MISSING, impossible))
    elif wanted is not None and (delay := seconds_until_waiting(ro, strategy, now)) > 0:
        delays.append(delay)
    elif wanted is not None:
        events.append(EventMessage("Normal", WAITING, wanted))
    return Waiting(events, delays)


def _until_late(ro: RolloutOrchestrator, now: datetime) -> list[float]:
    """The delay after which the stage is late; none where it has no time-out, or is late already."""
    try:
        left = seconds_left(ro, now)
    except InvalidRollout:
        return []
    return [left + 1.0] if left else []


def seconds_until_waiting(ro: RolloutOrchestrator, strategy: Strategy, now: datetime) -> float:
    """Seconds until the stage has waited for ``WAITING_AFTER``, 0 once it has.

    It waits since the conditions of its steps last changed, so that no other time has to be stored.
    """
    since = waiting_since(ro, strategy)
    waited = (now - since).total_seconds() if since is not None else WAITING_AFTER
    return max(0.0, WAITING_AFTER - waited)


def _reached(ro: RolloutOrchestrator, running: Mapping[str, int | None]) -> str:
    """The recorded status with the replicas that run: ``hello-00001 90% of traffic, 2 replicas; hello-00002 ...``."""
    recorded = one_per_revision(ro.status.stage_revision_status)
    counts = ((entry, running.get(entry.revision_name)) for entry in recorded)
    return "; ".join(
        traffic_of(entry) if count is None else f"{traffic_of(entry)}, {replicas(count)}" for entry, count in counts
    )


def _shares(entries: Sequence[TargetRevision]) -> dict[str, tuple[int | None, int | None, int | None]]:
    """Percent and bounds of each revision with traffic, by name."""
    listed = one_per_revision(entries)
    return {entry.revision_name: (entry.percent, entry.min_scale, entry.max_scale) for entry in listed if entry.percent}


def _without_percent(entry: TargetRevision) -> tuple[str, str, int | None]:
    return entry.revision_name, entry.direction, entry.target_replicas
