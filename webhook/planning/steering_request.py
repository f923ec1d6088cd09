"""What a person asks for who pauses, resumes, retries or aborts: the annotations of the RO that change, if any do."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import ABORTED, PAUSED, ROUTE_HELD
from webhook.api.steering import (
    ABORT,
    ABORT_GROUP,
    ABORT_REASON,
    NOT_KNOWN,
    PAUSE,
    PAUSE_AFTER_STAGE,
    PAUSE_GROUP,
    PAUSE_UNTIL,
    RETRY,
    RETRY_GROUP,
    Group,
    Pause,
    steering_of,
    targets_text,
)
from webhook.api.wire import format_time
from webhook.planning.abort import git_must_change, initial_of, obstacle_to_abort

AnnotationChanges = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class SteeringRequest:
    """``changes`` are annotations to set, None removing one; empty if there is nothing to do.

    ``done`` says what was done, or why nothing was; ``note`` what has to be done besides. A request that is impossible
    says why in ``obstacle``.
    """

    done: str
    changes: AnnotationChanges = field(default_factory=dict)
    note: str = ""
    obstacle: str = ""


def request_pause(ro: RolloutOrchestrator, wanted: Pause, now: datetime) -> SteeringRequest:
    """Pause a rollout. One that is paused stays as it is; a pause that waits for a stage can be made one at once."""
    present = steering_of(ro.metadata.annotations).pause
    if present is not None and not present.has_ended(now):
        asks_otherwise = (wanted.until, wanted.after_stage) not in ((None, None), (present.until, present.after_stage))
        note = "resume it first to change when it begins or ends" if asks_otherwise else ""
        since = _since(ro)
        if since or present.after_stage is None:
            when = f" since {since}" if since else ""
            return SteeringRequest(f"already paused by {_by(present.by)}{when}: {present.reason}", note=note)
        if wanted.after_stage is not None:
            when = f" after stage {present.after_stage}"
            return SteeringRequest(f"already paused{when} by {_by(present.by)}: {present.reason}", note=note)
    changes: dict[str, str | None] = {PAUSE: wanted.reason}
    if wanted.until is not None:
        changes[PAUSE_UNTIL] = format_time(wanted.until)
    if wanted.after_stage is not None:
        changes[PAUSE_AFTER_STAGE] = str(wanted.after_stage)
    when = "" if wanted.after_stage is None else f" after stage {wanted.after_stage}"
    end = "" if wanted.until is None else f", until {format_time(wanted.until)}"
    note = "the rollout is complete: this holds the next one" if ro.is_complete else ""
    return SteeringRequest(f"paused{when}{end}: {wanted.reason}", changes | _left_over(ro, PAUSE_GROUP, changes), note)


def request_resume(ro: RolloutOrchestrator) -> SteeringRequest:
    """Let a paused rollout go on, also one whose pause has not begun."""
    present = [key for key in PAUSE_GROUP.keys if key in ro.metadata.annotations]
    if PAUSE not in present:
        return SteeringRequest("not paused")
    return SteeringRequest("resumed", dict.fromkeys(present))


def request_retry(ro: RolloutOrchestrator) -> SteeringRequest:
    """Clear the failure of the present targets, or take their abort back."""
    steering, targets = steering_of(ro.metadata.annotations), targets_text(ro.spec.target_revisions)
    if steering.retry is not None and steering.retry.is_for(ro.spec.target_revisions):
        return SteeringRequest(f"already asked to retry {targets}")
    is_aborted = steering.abort is not None and steering.abort.is_for(ro.spec.target_revisions)
    if not ro.has_failed and not is_aborted:
        return SteeringRequest("not failed: nothing to retry")
    done = f"the abort of {targets} is taken back" if is_aborted else f"retrying {targets}"
    changes: dict[str, str | None] = {RETRY: targets}
    return SteeringRequest(done, changes | _left_over(ro, RETRY_GROUP, changes))


def request_abort(ro: RolloutOrchestrator, reason: str) -> SteeringRequest:
    """Lead a rollout back to the revisions that it began with."""
    abort, targets = steering_of(ro.metadata.annotations).abort, targets_text(ro.spec.target_revisions)
    end = initial_of(ro)
    note = git_must_change(ro.name, end, is_held=ro.status.conditions.is_true(ROUTE_HELD))
    if abort is not None and abort.is_for(ro.spec.target_revisions):
        since = _time_of(ro, ABORTED)
        when = f" since {since}" if since else ""
        said = f": {abort.reason}" if abort.reason else ""
        return SteeringRequest(f"already aborted by {_by(abort.by)}{when}{said}", note=note)
    # What the loop has not seen yet, it decides once it has.
    obstacle = obstacle_to_abort(ro) if ro.metadata.generation == ro.status.observed_generation else None
    if obstacle is not None:
        return SteeringRequest("", obstacle=obstacle)
    back = ", ".join(f"{entry.revision_name} {entry.percent}%" for entry in end)
    done = f"aborted {targets}, back to {back}: {reason}"
    changes: dict[str, str | None] = {ABORT: targets, ABORT_REASON: reason}
    return SteeringRequest(done, changes | _left_over(ro, ABORT_GROUP, changes), note)


def _left_over(ro: RolloutOrchestrator, group: Group, changes: Container[str]) -> dict[str, str | None]:
    """What else a group has, such as the name of who wrote it before, which must not stand beside the new values."""
    return {key: None for key in group.keys if key in ro.metadata.annotations and key not in changes}


def _by(name: str) -> str:
    return name or NOT_KNOWN


def _since(ro: RolloutOrchestrator) -> str:
    return _time_of(ro, PAUSED)


def _time_of(ro: RolloutOrchestrator, type_: str) -> str:
    time = ro.status.conditions.changed_at(type_)
    return format_time(time) if time is not None else ""
