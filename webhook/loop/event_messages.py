"""Event messages of a rollout, from how it was before a reconcile and how it is after."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import (
    LAST_STAGE_READY,
    STAGE_READY,
    STAGE_SCALE_DOWN_READY,
    STAGE_SCALE_UP_READY,
)
from webhook.api.target_revision import one_per_revision
from webhook.loop.timeout import TIMED_OUT, Overdue
from webhook.strategies import Strategy

STAGE_STARTED: Final = "StageStarted"
TRAFFIC_SHIFTED: Final = "TrafficShifted"
SCALED_UP: Final = "ScaledUp"
SCALED_DOWN: Final = "ScaledDown"
STAGE_COMPLETE: Final = "StageComplete"
ROLLOUT_COMPLETE: Final = "RolloutComplete"
WAITING: Final = "Waiting"
WAITING_AFTER: Final = 10.0
"""Seconds that a stage waits before an Event says so; most steps are done sooner."""


class EventMessage(NamedTuple):
    type: str
    reason: str
    message: str


def events_of_spec(before: RolloutOrchestrator, after: RolloutOrchestrator) -> list[EventMessage]:
    """The Event for a stage that begins, or for a late one whose traffic is shifted."""
    was, now = before.spec.stage_target_revisions, after.spec.stage_target_revisions
    if was == now or not now:
        return []
    on_its_way = not before.status.conditions.is_true(STAGE_READY)
    if was and on_its_way and [_without_percent(entry) for entry in was] == [_without_percent(entry) for entry in now]:
        since = before.spec.target_finish_time
        return [EventMessage("Normal", TRAFFIC_SHIFTED, f"the stage was not done by {since}: now {described(now)}")]
    return [EventMessage("Normal", STAGE_STARTED, described(now))]


def events_of_status(
    before: RolloutOrchestrator, after: RolloutOrchestrator, running: Mapping[str, int | None]
) -> list[EventMessage]:
    """The Events for steps and stages that are done; the end of the last stage is that of the rollout.

    ``running`` holds the replicas that run, by revision name; None, or no entry, where that is not known.
    """
    was, now = before.status.conditions, after.status.conditions
    events: list[EventMessage] = []

    def became_true(type_: str) -> bool:
        return was.get(type_) is not None and not was.is_true(type_) and now.is_true(type_)

    if became_true(STAGE_SCALE_UP_READY):
        events.append(EventMessage("Normal", SCALED_UP, f"up: {_running(_moved(after, up=True), running)}"))
    if became_true(STAGE_SCALE_DOWN_READY):
        events.append(EventMessage("Normal", SCALED_DOWN, f"down: {_running(_moved(after, up=False), running)}"))
    if became_true(LAST_STAGE_READY):
        events.append(EventMessage("Normal", ROLLOUT_COMPLETE, _reached(after, running)))
    elif became_true(STAGE_READY):
        events.append(EventMessage("Normal", STAGE_COMPLETE, _reached(after, running)))
    return events


def waiting_for(ro: RolloutOrchestrator, strategy: Strategy) -> str | None:
    """What the stage waits for, in words that stay the same while it does; None when it waits for nothing."""
    type_ = pending_step(ro, strategy)
    if type_ is None:
        return None
    goes_up = type_ == STAGE_SCALE_UP_READY
    wanted = _moved(ro, goes_up)
    if not wanted:
        return None
    goals = ", ".join(f"{entry.revision_name} to run {_goal(entry)}" for entry in wanted)
    detail = ro.stage_in_progress_detail(type_)
    return f"scaling {'up' if goes_up else 'down'}: waiting for {goals}{f': {detail}' if detail else ''}"


def seconds_until_waiting(ro: RolloutOrchestrator, strategy: Strategy, now: datetime) -> float:
    """Seconds until the stage has waited for ``WAITING_AFTER``, 0 once it has.

    It waits since the conditions of its steps last changed, so that no other time has to be stored.
    """
    conditions = (ro.status.conditions.get(step.condition) for step in strategy.steps)
    times = [one.last_transition_time for one in conditions if one is not None and one.last_transition_time]
    waited = (now - max(times)).total_seconds() if times else WAITING_AFTER
    return max(0.0, WAITING_AFTER - waited)


def pending_step(ro: RolloutOrchestrator, strategy: Strategy) -> str | None:
    """The condition of the step that the stage waits for; None when it waits for none."""
    conditions = ro.status.conditions
    if not ro.spec.stage_target_revisions or not conditions.is_unknown(STAGE_READY):
        return None
    types = (step.condition for step in strategy.steps)
    return next((type_ for type_ in types if conditions.get(type_) and conditions.is_unknown(type_)), None)


def timeout_event(late: Overdue) -> EventMessage:
    """The Event for a late stage whose traffic cannot be shifted."""
    return EventMessage("Warning", TIMED_OUT, timeout_message(late))


def timeout_message(late: Overdue) -> str:
    return f"The stage was not done by {late.since}, and its traffic is not shifted: {late.obstacle}."


def described(stage: Iterable[TargetRevision]) -> str:
    """``hello-00001 90% of traffic, to run 2 replicas; hello-00002 ...``."""
    return "; ".join(
        _traffic(entry) if entry.target_replicas is None else f"{_traffic(entry)}, to run {_goal(entry)}"
        for entry in one_per_revision(stage)
    )


def _traffic(entry: TargetRevision) -> str:
    percent = "no traffic" if entry.percent is None else f"{entry.percent}% of traffic"
    return f"{entry.revision_name} {percent}"


def _moved(ro: RolloutOrchestrator, up: bool) -> list[TargetRevision]:
    """The entries that a step moves. If none goes down, those that the rollout started from go down to nothing."""
    stage = one_per_revision(ro.spec.stage_target_revisions)
    moved = [entry for entry in stage if (entry.goes_up if up else entry.goes_down)]
    if moved or up:
        return moved
    rising = {entry.revision_name for entry in stage if entry.goes_up}
    leaving = (entry for entry in one_per_revision(ro.spec.initial_revisions) if entry.revision_name not in rising)
    return [replace(entry, target_replicas=0) for entry in leaving]


def _goal(entry: TargetRevision) -> str:
    if entry.target_replicas is None:
        return "within its bounds"
    return _replicas(entry.target_replicas)


def _running(entries: Iterable[TargetRevision], running: Mapping[str, int | None]) -> str:
    shown = [(entry.revision_name, running.get(entry.revision_name)) for entry in entries]
    parts = (name if count is None else f"{name} runs {_replicas(count)}" for name, count in shown)
    return ", ".join(parts) or "nothing to do"


def _reached(ro: RolloutOrchestrator, running: Mapping[str, int | None]) -> str:
    """The recorded status with the replicas that run: ``hello-00001 90% of traffic, 2 replicas; hello-00002 ...``."""
    recorded = one_per_revision(ro.status.stage_revision_status)
    counts = ((entry, running.get(entry.revision_name)) for entry in recorded)
    return "; ".join(
        _traffic(entry) if count is None else f"{_traffic(entry)}, {_replicas(count)}" for entry, count in counts
    )


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"


def _without_percent(entry: TargetRevision) -> tuple[str, str, int | None]:
    return entry.revision_name, entry.direction, entry.target_replicas
