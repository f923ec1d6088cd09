"""Causes in the rollout itself: its spec, its revisions, and what the API server refuses to store."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api import wire
from webhook.api.conditions import LAST_STAGE_READY, STAGE_READY, UNKNOWN
from webhook.api.reasons import BOUNDS_ALTERED, NOT_PLANNED, OWNERSHIP_CONFLICT, TIMED_OUT, WRITE_REFUSED
from webhook.diagnosis.cause import DELAYS, STOPS, Cause
from webhook.diagnosis.snapshot import Snapshot, event_time

_REPEATED: Final = timedelta(seconds=400)
"""The loop repeats an Event every 300 s while what it says is so; one that is older is over."""
_SLACK: Final = timedelta(seconds=2)
"""Times of conditions and Events are in whole seconds."""

_REFUSERS: Final = (
    (re.compile(r'admission webhook "([^"]+)" denied'), "the admission webhook {}"),
    (re.compile(r"ValidatingAdmissionPolicy '([^']+)'"), "the ValidatingAdmissionPolicy {}"),
    (re.compile(r'User "([^"]+)" cannot'), "the RBAC of the account {}"),
    (re.compile(r"exceeded quota: ([^,]+)"), "the ResourceQuota {}"),
    (re.compile(r"failed calling webhook \"([^\"]+)\""), "the admission webhook {}, which cannot be reached"),
)


def failed(snapshot: Snapshot) -> Iterator[Cause]:
    """StageReady is False at the observed generation."""
    ro = snapshot.ro
    condition = ro.status.conditions.get(STAGE_READY)
    if ro.has_failed and condition is not None:
        yield Cause(
            "failed",
            STOPS,
            says=condition.message or "the rollout is marked failed",
            about=_rollout(snapshot),
            since=condition.last_transition_time,
            way_out=(
                f"correct what the message names; then stagegate retry {ro.name} -n {ro.namespace},"
                f" or {'edit the Service' if snapshot.is_held else 'change the spec'}"
            ),
            next="nothing: a failed rollout stays as it is until its spec changes or somebody retries it",
        )


def revision_shared(snapshot: Snapshot) -> Iterator[Cause]:
    """Another rollout moves a revision of this one."""
    condition = snapshot.ro.status.conditions.get(STAGE_READY)
    if condition is not None and condition.reason == OWNERSHIP_CONFLICT:
        yield Cause(
            "revision-shared",
            STOPS,
            says=condition.message,
            about=_rollout(snapshot),
            since=condition.last_transition_time,
            way_out=(
                "let only one of the rollouts name the revision, or set the label serving.knative.dev/service of its"
                f" StagePodAutoscaler to {snapshot.name}"
            ),
            next="the rollout goes on as soon as the revision is its own",
        )


def revision_missing(snapshot: Snapshot) -> Iterator[Cause]:
    """A Revision that the stage moves does not exist, so its replicas can never come."""
    spec = snapshot.ro.spec
    names = snapshot.stage.moved or [entry.revision_name for entry in spec.target_revisions]
    for name in dict.fromkeys(names):
        absence = snapshot.of(name).absence
        if absence is not None:
            yield Cause(
                "revision-missing",
                STOPS,
                says=f"{absence}, so the stage cannot be done",
                about=f"Revision {name}",
                since=None,
                way_out="restore the Revision, or " + _other_target(snapshot),
                next="the rollout goes on once the Revision exists",
            )


def not_planned(snapshot: Snapshot) -> Iterator[Cause]:
    """The next stage is due and cannot be planned."""
    ro = snapshot.ro
    conditions = ro.status.conditions
    is_due = not ro.spec.stage_target_revisions or (
        conditions.is_true(STAGE_READY) and not conditions.is_true(LAST_STAGE_READY)
    )
    if not is_due or ro.has_failed:
        return
    found = _latest(snapshot, NOT_PLANNED, conditions.changed_at(STAGE_READY))
    if found is not None:
        yield Cause(
            "not-planned",
            STOPS,
            says=str(found.get("message")),
            about=_rollout(snapshot),
            since=wire.parse_time(str(found.get("firstTimestamp") or "")) or event_time(found),
            way_out="what the message names has to be there: see its PodAutoscaler, or Knative's autoscaler",
            next="the loop tries again, with growing delays of at most some minutes",
        )


def write_refused(snapshot: Snapshot) -> Iterator[Cause]:
    """The API server, or what it asks, refuses what the loop wants to store."""
    found = _latest(snapshot, WRITE_REFUSED, snapshot.ro.status.conditions.changed_at(STAGE_READY))
    if found is None:
        return
    message = " ".join(str(found.get("message")).split())
    about = found.get("involvedObject") or {}
    by = refuser_of(message)
    yield Cause(
        "write-refused",
        STOPS,
        says=f"{f'{by} refuses' if by else 'the API server refuses'} a write of the loop: {message}",
        about=f"{about.get('kind')} {about.get('name')}",
        since=wire.parse_time(str(found.get("firstTimestamp") or "")) or event_time(found),
        way_out=f"let {by or 'the API server'} accept it, or change the object so that it does",
        next="the loop tries again, with growing delays of at most some minutes",
    )


def bounds_altered(snapshot: Snapshot) -> Iterator[Cause]:
    """The cluster stores other bounds in an SPA than the loop has sent."""
    found = _latest(snapshot, BOUNDS_ALTERED, snapshot.ro.status.conditions.changed_at(STAGE_READY))
    if found is None:
        return
    yield Cause(
        "bounds-altered",
        DELAYS,
        says=" ".join(str(found.get("message")).split()),
        about=_rollout(snapshot),
        since=wire.parse_time(str(found.get("firstTimestamp") or "")) or event_time(found),
        way_out="see which mutating webhooks and policies match stagepodautoscalers; exempt the account of the loop",
        next="the loop writes its bounds again every minute, and goes on if those that are stored allow it",
    )


def timed_out(snapshot: Snapshot) -> Iterator[Cause]:
    """A stage is late, and its traffic cannot be shifted."""
    condition = snapshot.ro.status.conditions.get(STAGE_READY)
    if condition is not None and condition.status == UNKNOWN and condition.reason == TIMED_OUT:
        yield Cause(
            "timed-out",
            STOPS,
            says=condition.message,
            about=_rollout(snapshot),
            since=wire.parse_time(snapshot.ro.spec.target_finish_time or "") or condition.last_transition_time,
            way_out="remove the obstacle, or " + _other_target(snapshot),
            next="the stage is done as soon as its replicas are there, however late",
        )


def _other_target(snapshot: Snapshot) -> str:
    """How to roll out something else; the targets of a held rollout come from the Service."""
    if snapshot.is_held:
        return f"edit the template of Service {snapshot.name}: the revision of that edit is rolled out"
    return "name another revision in spec.targetRevisions"


def spa_missing(snapshot: Snapshot) -> Iterator[Cause]:
    """A revision that goes up has no SPA yet, which the loop makes at the start of a stage."""
    for name in snapshot.stage.up:
        if snapshot.of(name).spa is None and snapshot.of(name).absence is None:
            yield Cause(
                "spa-missing",
                DELAYS,
                says=f"there is no StagePodAutoscaler {name} yet, so that nobody says how many replicas it runs",
                about=f"StagePodAutoscaler {name}",
                since=None,
                way_out="see the log of the loop and the Events of the rollout, if this lasts",
                next="the loop makes it",
            )


def refuser_of(message: str) -> str:
    """Who refused a write, by the message of the API server; empty if that is not known."""
    for pattern, words in _REFUSERS:
        match = pattern.search(message)
        if match is not None:
            return words.format(match[1])
    return ""


def _latest(snapshot: Snapshot, reason: str, since: datetime | None) -> dict[str, Any] | None:
    """The latest Event of a reason, if what it says still holds: nothing has moved since, and it is repeated."""
    for event in snapshot.events_of(reason):
        time = event_time(event)
        if time is None or snapshot.at - time > _REPEATED or (since is not None and time < since - _SLACK):
            return None
        return event
    return None


def _rollout(snapshot: Snapshot) -> str:
    return f"RolloutOrchestrator {snapshot.name}"
