"""What the status of a rollout states of a pause or an abort, and the Events that come from comparing it."""

from datetime import datetime
from typing import Final

from webhook.api import InvalidRollout, RolloutOrchestrator, TargetRevision, conditions, wire
from webhook.api.conditions import LAST_STAGE_READY, READY, STAGE_READY, TRUE
from webhook.api.reasons import ABORT_COMPLETE, ABORT_VOID, ABORTED, PAUSED, RESUMED, RETRIED
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.steering import Abort, Pause, targets_text
from webhook.api.target_revision import entries_by_revision, one_per_revision
from webhook.loop.event_messages import EventMessage
from webhook.loop.observation import Observed
from webhook.loop.steering_decision import Steered, by
from webhook.planning import pause as kept_by_pause
from webhook.planning import restart
from webhook.planning.abort import ABORT_RECORD, AbortRecord, as_start, entries_with, git_must_change, initial_of
from webhook.planning.planned_targets import has_unplanned_targets, recorded_targets
from webhook.planning.stage_number import STAGES_DONE, stages_done
from webhook.strategies.stage import is_last_stage_complete

_LONGEST: Final = 256
"""Characters of a reason that conditions and Events repeat."""


def record_abort(ro: RolloutOrchestrator, abort: Abort, observed: Observed, now: datetime) -> AbortRecord | None:
    """Record an abort that begins; None if there is nothing to lead back to. A failed rollout can lead back, too.

    Where the rollout before was complete, and the one to the present targets has not begun, all stays as it is.
    """
    start = _start_of_way_back(ro, observed)
    end = as_start(start) if _has_not_begun(ro) else initial_of(ro)
    if not end:
        return None
    record = AbortRecord(targets_text(ro.spec.target_revisions), tuple(start), tuple(end))
    ro.status.conditions.initialize(now)
    ro.status.annotations[ABORT_RECORD] = record.to_annotation()
    # Also what is reached already is verified: a stage of the present targets may be stored, and not begun.
    ro.mark_stage_in_progress(STAGE_READY, now)
    ro.mark_last_stage_in_progress(now)
    kept_by_pause.forget(ro)
    ro.status.conditions.remove(conditions.PAUSED)
    message = _abort_message(ro, abort, record, observed, is_back=False)
    ro.status.conditions.inform(conditions.ABORTED, ABORTED, message, now)
    return record


def mark_steering(ro: RolloutOrchestrator, steered: Steered, observed: Observed, now: datetime) -> None:
    """State in the conditions that a rollout is paused or aborted; what is over is taken out of the status.

    Ready is Unknown while a rollout is paused on its way, and False once an aborted one is back: its targets are not
    reached.
    """
    if steered.pause is None:
        kept_by_pause.forget(ro)
        ro.status.conditions.remove(conditions.PAUSED)
    else:
        kept_by_pause.keep(ro, observed.live, now)
        message = pause_message(steered.pause)
        ro.status.conditions.inform(conditions.PAUSED, PAUSED, message, now)
        if ro.status.conditions.is_unknown(READY):
            ro.status.conditions.mark_unknown(READY, PAUSED, message, now)
    if steered.abort is None or steered.record is None:
        ro.status.conditions.remove(conditions.ABORTED)
        if not has_unplanned_targets(ro):
            # Until then the plan has to know that the stage is one of a way back.
            ro.status.annotations.pop(ABORT_RECORD, None)
    else:
        is_back = ro.status.conditions.is_true(READY) and ro.status.conditions.is_true(LAST_STAGE_READY)
        message = _abort_message(ro, steered.abort, steered.record, observed, is_back=is_back)
        ro.status.conditions.inform(conditions.ABORTED, ABORT_COMPLETE if is_back else ABORTED, message, now)
        if is_back:
            ro.status.conditions.mark_false(READY, ABORTED, message, now)


def count_stage(before: RolloutStatus, ro: RolloutOrchestrator) -> None:
    """Count a stage that this pass has completed."""
    was, now = before.conditions.get(STAGE_READY), ro.status.conditions.get(STAGE_READY)
    if was is not None and was.status != TRUE and now is not None and now.status == TRUE:
        ro.status.annotations[STAGES_DONE] = str((stages_done(ro) or 0) + 1)


def events_of_steering(before: RolloutStatus, ro: RolloutOrchestrator, steered: Steered) -> list[EventMessage]:
    """The Events for a pause, its end, a retry, and the end of an abort, each once."""
    was, now = before.conditions, ro.status.conditions
    events = []
    paused = now.get(conditions.PAUSED)
    if paused is None and was.get(conditions.PAUSED) is not None:
        events.append(EventMessage("Normal", RESUMED, "the pause is over, and the rollout goes on"))
    elif paused is not None and paused.message != _message_of(was, conditions.PAUSED):
        events.append(EventMessage("Normal", PAUSED, paused.message))
    if steered.retry is not None:
        events.append(EventMessage("Normal", RETRIED, f"by {by(steered.retry)}: the failure is cleared"))
    aborted = now.get(conditions.ABORTED)
    if aborted is None and was.get(conditions.ABORTED) is not None:
        message = "the abort is over: other targets were set, or it was taken back"
        events.append(EventMessage("Normal", ABORT_VOID, message))
    elif aborted is not None and aborted.message != _message_of(was, conditions.ABORTED):
        is_back = aborted.reason == ABORT_COMPLETE
        events.append(EventMessage("Normal" if is_back else "Warning", aborted.reason, aborted.message))
    return events


def pause_message(pause: Pause) -> str:
    """Who paused, why, and when it ends: ``Paused by alice: load test. It resumes at 2030-01-01T12:00:00Z.``"""
    end = f" It resumes at {wire.format_time(pause.until)}." if pause.until is not None else ""
    return f"Paused by {_said(by(pause), pause.reason)}.{end}"


def _has_not_begun(ro: RolloutOrchestrator) -> bool:
    """True if the former targets were reached, and nothing is planned for the present ones."""
    former = recorded_targets(ro)
    if former is None or not has_unplanned_targets(ro):
        return False
    try:
        return is_last_stage_complete(ro.status.stage_revision_status, former)
    except InvalidRollout:
        return False


def _start_of_way_back(ro: RolloutOrchestrator, observed: Observed) -> list[TargetRevision]:
    """The revisions with traffic at this moment, and those that were about to get some, which go down too."""
    if observed.live:
        start = entries_with(ro, observed.live)
    else:
        try:
            spec = restart(ro, route_has_traffic=observed.route_has_traffic, deployments=observed.deployments or ())
            start = as_start(spec.initial_revisions)
        except InvalidRollout:
            start = as_start(ro.status.stage_revision_status or ro.spec.initial_revisions)
    names = {entry.revision_name for entry in start}
    others = entries_by_revision(ro.spec.stage_target_revisions, ro.spec.target_revisions)
    return start + entries_with(ro, dict.fromkeys(others.keys() - names, 0))


def _abort_message(
    ro: RolloutOrchestrator, abort: Abort, record: AbortRecord, observed: Observed, *, is_back: bool
) -> str:
    end = ", ".join(f"{entry.revision_name} {entry.percent}%" for entry in one_per_revision(record.end))
    change = git_must_change(ro.name, record.end, is_held=observed.is_held)
    goes = "is back at" if is_back else "leads back to"
    return f"Aborted by {_said(by(abort), abort.reason)}. The rollout {goes} {end}; {change}."


def _said(name: str, reason: str) -> str:
    """``alice: reason``, on one line and not too long."""
    line = " ".join(reason.split()).rstrip(".")
    shown = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 4]} ..."
    return f"{name}: {shown}" if shown else name


def _message_of(found: conditions.ConditionSet, type_: str) -> str:
    one = found.get(type_)
    return one.message if one is not None else ""
