"""Causes that people made: a pause, one to come, and an abort."""

from collections.abc import Iterator
from typing import Final

from webhook.api.conditions import ABORTED, PAUSED, TRUE
from webhook.api.reasons import ABORT_COMPLETE
from webhook.api.steering import NOT_KNOWN, steering_of
from webhook.api.wire import format_time
from webhook.diagnosis.cause import INFORMS, PAUSES, STOPS, Cause
from webhook.diagnosis.snapshot import Snapshot
from webhook.planning.abort import abort_record, git_must_change, initial_of

PAUSE_AHEAD: Final = "pause-ahead"


def paused(snapshot: Snapshot) -> Iterator[Cause]:
    """The pause is in force, which the loop states in a condition."""
    ro = snapshot.ro
    condition, pause = ro.status.conditions.get(PAUSED), steering_of(ro.metadata.annotations).pause
    if condition is None or condition.status != TRUE:
        return
    who = f"by {pause.by}" if pause is not None and pause.by else f"(by: {NOT_KNOWN})"
    says = f"paused {who}: {pause.reason}" if pause is not None else condition.message or "paused"
    until = pause.until if pause is not None else None
    yield Cause(
        "paused",
        PAUSES,
        says=says,
        about=f"RolloutOrchestrator {ro.name}",
        since=condition.last_transition_time,
        way_out=f"stagegate resume {ro.name} -n {ro.namespace}",
        next=f"it resumes by itself at {format_time(until)}"
        if until is not None
        else "scaling within the stage goes on; no traffic moves, and the time of the stage stands still",
    )


def pause_ahead(snapshot: Snapshot) -> Iterator[Cause]:
    """A pause was asked for and is not in force: it waits for a stage, for the loop, or for the next rollout."""
    ro, pause = snapshot.ro, steering_of(snapshot.ro.metadata.annotations).pause
    is_in_force = ro.status.conditions.is_true(PAUSED) and not ro.is_complete
    if pause is None or pause.has_ended(snapshot.at) or is_in_force:
        return
    what = "pauses the next rollout" if ro.is_complete else "pauses"
    when = f" after stage {pause.after_stage}" if pause.after_stage is not None else ""
    who = f", by {pause.by}" if pause.by else f" (by: {NOT_KNOWN})"
    yield Cause(
        PAUSE_AHEAD,
        INFORMS,
        says=f"{what}{when}{who}: {pause.reason}",
        about=f"RolloutOrchestrator {ro.name}",
        way_out=f"stagegate resume {ro.name} -n {ro.namespace}",
        next="" if pause.until is None else f"the pause ends by itself at {format_time(pause.until)}",
    )


def aborted(snapshot: Snapshot) -> Iterator[Cause]:
    """The abort is in force, which the loop states in a condition."""
    ro = snapshot.ro
    condition = ro.status.conditions.get(ABORTED)
    if condition is None or condition.status != TRUE:
        return
    is_back = condition.reason == ABORT_COMPLETE
    record = abort_record(ro)
    change = git_must_change(ro.name, initial_of(ro) if record is None else record.end, is_held=snapshot.is_held)
    yield Cause(
        "aborted",
        STOPS if is_back else INFORMS,
        says=condition.message or "the rollout was aborted",
        about=f"RolloutOrchestrator {ro.name}",
        since=condition.last_transition_time,
        way_out=f"{change}; or take the abort back: stagegate retry {ro.name} -n {ro.namespace}",
        next="nothing: the initial revisions have the traffic" if is_back else "it goes back to its initial revisions",
    )
