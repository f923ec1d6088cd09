"""How people steer a rollout at this moment: from the annotations of its RO and what its status records. Pure."""

from dataclasses import dataclass
from datetime import datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import LAST_STAGE_READY, PAUSED, READY, STAGE_READY
from webhook.api.reasons import ABORT_VOID, ABORTED, RETRIED, STEERING_IGNORED
from webhook.api.steering import (
    ABORT_GROUP,
    NOT_KNOWN,
    PAUSE_GROUP,
    RETRY_GROUP,
    Abort,
    Group,
    Pause,
    Retry,
    Steering,
    names_targets,
    steering_of,
    targets_text,
)
from webhook.loop.event_messages import EventMessage
from webhook.planning.abort import COMPLETE, AbortRecord, abort_record, as_aborted, obstacle_to_abort
from webhook.planning.planned_targets import has_unplanned_targets
from webhook.planning.stage_number import stages_done


@dataclass(frozen=True, slots=True)
class Steered:
    """``pause`` and ``abort`` are in force; ``record`` is that of the abort. ``begins`` is an abort to be recorded.

    ``retry`` clears the failure in this pass. ``gate`` is a pause that waits for the end of a stage. ``clear`` are
    annotations to be taken away first, and ``clears_retry`` says that those of the retry follow once the status is
    stored. ``was_aborted`` is True while the status records an abort that is not in force any more.
    """

    pause: Pause | None = None
    gate: Pause | None = None
    abort: Abort | None = None
    record: AbortRecord | None = None
    begins: Abort | None = None
    retry: Retry | None = None
    was_aborted: bool = False
    clear: tuple[str, ...] = ()
    events: tuple[EventMessage, ...] = ()
    requeue_after: tuple[float, ...] = ()

    def view(self, ro: RolloutOrchestrator, now: datetime) -> RolloutOrchestrator:
        """The RO as the decisions see it: its targets are those of the way back, and a failure is cleared."""
        if self.record is None and self.retry is None and not self.was_aborted:
            return ro
        ro = ro.copy()
        _restore_ready(ro, now)
        if self.retry is not None and ro.has_failed:
            clear_failure(ro, RETRIED, f"The failure was cleared by {by(self.retry)}.", now)
        return as_aborted(ro, self.record) if self.record is not None else ro


NOT_STEERED = Steered()


def decide_steering(ro: RolloutOrchestrator, now: datetime) -> Steered:
    """How a rollout is steered. Carried out while nothing changes, nothing is left to clear."""
    steering, record = steering_of(ro.metadata.annotations), abort_record(ro)
    if steering == Steering() and record is None:
        return NOT_STEERED
    clear = set(steering.leftovers)
    events = [EventMessage("Warning", STEERING_IGNORED, problem.text) for problem in steering.problems]
    pause, abort, retry = steering.pause, steering.abort, steering.retry
    if pause is not None and pause.has_ended(now):
        clear |= _present(ro, PAUSE_GROUP)
        pause = None
    if retry is not None and (abort is not None or not retry.is_for(ro.spec.target_revisions) or not ro.has_failed):
        events.append(_about_retry(ro, retry, abort))
        clear |= _present(ro, RETRY_GROUP)
        if abort is not None and retry.is_for(ro.spec.target_revisions):
            clear |= _present(ro, ABORT_GROUP)
            abort = None
        retry = None
    is_of_record = record is not None and names_targets(record.targets, ro.spec.target_revisions)
    in_force = record if abort is not None and abort.is_for(ro.spec.target_revisions) and is_of_record else None
    begins = None
    if abort is not None and in_force is None:
        why_void = _why_void(ro, abort)
        if why_void is not None:
            clear |= _present(ro, ABORT_GROUP)
            events.append(EventMessage("Warning", ABORT_VOID, why_void))
        else:
            begins = abort
            # An abort is meant to act: it ends a pause. A pause set after it stops the way back.
            clear |= _present(ro, PAUSE_GROUP)
            pause = None
    is_at_once = pause is not None and _is_in_force(as_aborted(ro, in_force) if in_force else ro, pause)
    return Steered(
        pause=pause if is_at_once else None,
        gate=None if is_at_once else pause,
        abort=abort if in_force else None,
        record=in_force,
        begins=begins,
        retry=retry,
        was_aborted=record is not None and in_force is None,
        clear=tuple(sorted(clear)),
        events=tuple(events),
        requeue_after=() if pause is None or pause.until is None else ((pause.until - now).total_seconds() + 1.0,),
    )


def by(one: Pause | Abort | Retry) -> str:
    """The user name of who steered, or that it is not known."""
    return one.by or NOT_KNOWN


def clear_failure(ro: RolloutOrchestrator, reason: str, message: str, now: datetime) -> None:
    """Give a failed rollout another chance, as a new generation would."""
    for type_ in (STAGE_READY, LAST_STAGE_READY, READY):
        ro.status.conditions.mark_unknown(type_, reason, message, now)


def present_keys(ro: RolloutOrchestrator, group: Group) -> tuple[str, ...]:
    """The annotations of a group that an RO has."""
    return tuple(sorted(_present(ro, group)))


def _present(ro: RolloutOrchestrator, group: Group) -> set[str]:
    return {key for key in group.keys if key in ro.metadata.annotations}


def _is_in_force(ro: RolloutOrchestrator, pause: Pause) -> bool:
    """True for a pause at once, and for one whose stage is done; stages of former targets do not count.

    One that has begun holds targets that come meanwhile, too, for which no stage is done.
    """
    if pause.after_stage is None or (ro.status.conditions.is_true(PAUSED) and has_unplanned_targets(ro)):
        return True
    return (stages_done(ro) or 0) >= pause.after_stage


def _restore_ready(ro: RolloutOrchestrator, now: datetime) -> None:
    """Ready is False once an aborted rollout is back; for the decisions it has reached the targets of its way back."""
    conditions = ro.status.conditions
    ready = conditions.get(READY)
    is_back = ready is not None and ready.reason == ABORTED
    if is_back and conditions.is_true(STAGE_READY) and conditions.is_true(LAST_STAGE_READY):
        conditions.mark_true(READY, now)


def _why_void(ro: RolloutOrchestrator, abort: Abort) -> str | None:
    if not abort.is_for(ro.spec.target_revisions):
        targets = targets_text(ro.spec.target_revisions)
        return f"the abort by {by(abort)} is void: it was of {abort.targets}, and the targets are {targets} now"
    obstacle = COMPLETE if ro.is_complete else None if has_unplanned_targets(ro) else obstacle_to_abort(ro)
    return None if obstacle is None else f"the abort by {by(abort)} is void: {obstacle}"


def _about_retry(ro: RolloutOrchestrator, retry: Retry, abort: Abort | None) -> EventMessage:
    targets = targets_text(ro.spec.target_revisions)
    if not retry.is_for(ro.spec.target_revisions):
        message = f"the retry by {by(retry)} is void: it was of {retry.targets}, and the targets are {targets} now"
        return EventMessage("Warning", STEERING_IGNORED, message)
    if abort is not None:
        return EventMessage("Normal", RETRIED, f"by {by(retry)}: the abort of {targets} is taken back")
    return EventMessage(
        "Normal", STEERING_IGNORED, f"the retry by {by(retry)} does nothing: the rollout has not failed"
    )
