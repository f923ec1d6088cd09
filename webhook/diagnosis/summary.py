"""Summary: a rollout in one row, for lists, trees and pages; and the order in which rollouts are shown."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from webhook.api import InvalidRollout, RolloutOrchestrator
from webhook.api.conditions import ABORTED, READY, TRUE
from webhook.api.target_revision import DIRECTION_STAY, entries_by_revision
from webhook.diagnosis.cause import DELAYS, PAUSES, STOPS, Cause
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.causes.steering import PAUSE_AHEAD
from webhook.diagnosis.pod_problem import PodProblem, pod_problems
from webhook.diagnosis.snapshot import RevisionSnapshot, Snapshot
from webhook.knative.hold import HELD
from webhook.planning.abort import as_carried, is_back
from webhook.planning.pause import with_time_left
from webhook.planning.shift import seconds_left
from webhook.planning.stage_count import stage_count
from webhook.planning.stage_number import stage_number
from webhook.strategies.stage import without_idle
from webhook.strategies.waiting import waiting_for, waiting_since

State = Literal[
    "Failed",
    "Stuck",
    "TimedOut",
    "Paused",
    "Aborted",
    "Pending",
    "Waiting",
    "Aborting",
    "Progressing",
    "Deleting",
    "Complete",
]
STATES: Final[tuple[State, ...]] = get_args(State)
"""Every state, what needs a person first.

Failed: marked so, a new generation continues it. Stuck: a cause stops it. TimedOut: a stage is late and its traffic is
not shifted. Paused: somebody wants it to stand. Aborted, Aborting: it is back at its initial revisions, or on its way
there. Pending: nobody has taken up this generation yet. Waiting: what a stage
waits for takes a while. Progressing: a stage is under way. Complete: the targets are reached.
"""
NEEDS_PERSON: Final = frozenset({"Failed", "Stuck", "TimedOut", "Paused", "Aborted"})
"""The states that last until somebody does something."""


@dataclass(frozen=True, slots=True)
class RevisionSummary:
    """One live revision. Percents and replicas are None where they are not known.

    ``wished`` is the percent that the stage gives, ``real`` the one that requests follow. ``wanted`` are the replicas
    that the stage asks for, else those that the autoscaler wants; ``running`` are ready, ``ending`` terminate.
    ``bounds`` are minimum and maximum of the SPA. ``problems`` are those of pods that are not ready.
    """

    name: str
    direction: str
    wished: int | None = None
    real: int | None = None
    wanted: int | None = None
    running: int | None = None
    ending: int | None = None
    bounds: tuple[int | None, int | None] = (None, None)
    problems: tuple[PodProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """A rollout in one row.

    ``stage`` of ``stages`` is the present one, None where that is not known. ``waits_for`` is one line, ``since`` the
    time since when it does; ``left`` the seconds until the stage is late, 0 once it is, None without a time-out.
    ``cause`` is the first one that bears on it, None if nothing does; ``pause_ahead`` the pause that is to begin later.
    ``held`` is True while a Route is held for it.
    """

    namespace: str
    name: str
    state: State
    strategy: str
    stage: int | None = None
    stages: int | None = None
    revisions: tuple[RevisionSummary, ...] = ()
    waits_for: str = ""
    since: datetime | None = None
    left: float | None = None
    cause: Cause | None = None
    pause_ahead: Cause | None = None
    held: bool = False

    @property
    def needs_person(self) -> bool:
        return self.state in NEEDS_PERSON

    @property
    def replicas(self) -> tuple[int, int, int]:
        """Replicas of all live revisions: wanted, running, ending; what is not known counts as none."""
        listed = self.revisions
        return (
            sum(one.wanted or 0 for one in listed),
            sum(one.running or 0 for one in listed),
            sum(one.ending or 0 for one in listed),
        )


def summarise(snapshot: Snapshot) -> Summary:
    """The summary of a rollout at the time of its snapshot."""
    ro, stage = snapshot.ro, snapshot.stage
    causes = causes_of(snapshot)
    cause = next((one for one in causes if one.effect in (STOPS, PAUSES, DELAYS)), None)
    late = _seconds_left(snapshot)
    waited = waiting_for(ro, stage, snapshot.strategy)
    state = _state(snapshot, cause, late)
    number, total = _stages(snapshot)
    since = (cause.since if cause is not None else None) or _since(snapshot, state)
    return Summary(
        namespace=ro.namespace,
        name=ro.name,
        state=state,
        strategy=snapshot.strategy.name,
        stage=number,
        stages=total,
        revisions=tuple(_revisions(snapshot)),
        waits_for="" if state == "Complete" else (cause.says if cause is not None else waited or ""),
        since=since,
        left=late,
        cause=cause,
        pause_ahead=next((one for one in causes if one.id == PAUSE_AHEAD), None),
        held=snapshot.hold is not None,
    )


def unreadable(namespace: str, name: str, problem: str) -> Summary:
    """The summary of an RO that cannot be read."""
    return Summary(namespace, name, "Stuck", "", waits_for=f"the RolloutOrchestrator cannot be read: {problem}")


def in_order(summaries: Iterable[Summary]) -> list[Summary]:
    """What needs a person first, then by namespace and name."""
    return sorted(summaries, key=lambda one: (STATES.index(one.state), one.namespace, one.name))


def _state(snapshot: Snapshot, cause: Cause | None, left: float | None) -> State:
    ro = snapshot.ro
    if ro.metadata.deletion_timestamp:
        return "Deleting"
    aborted = ro.status.conditions.get(ABORTED)
    over = _state_at_the_end(ro)
    if over is not None:
        return "Pending" if _is_behind(snapshot) else over
    if cause is not None and cause.effect == PAUSES:
        return "Paused"
    if cause is not None and cause.effect == STOPS:
        return "TimedOut" if cause.id == "timed-out" else "Stuck"
    if left == 0.0:
        return "TimedOut"
    if ro.status.observed_generation != ro.metadata.generation or not ro.spec.stage_target_revisions:
        return "Pending"
    if cause is not None:
        return "Waiting"
    return "Aborting" if aborted is not None and aborted.status == TRUE else "Progressing"


def _state_at_the_end(ro: RolloutOrchestrator) -> State | None:
    """The state of a rollout that was over when the loop saw it last; None for one that is not over."""
    if ro.has_failed:
        return "Failed"
    if is_back(ro):
        return "Aborted" if ro.status.observed_generation == ro.metadata.generation else "Pending"
    return "Complete" if ro.is_complete else None


def _is_behind(snapshot: Snapshot) -> bool:
    """True if a newer edit of the Knative Service has not reached the rollout, which is over for an earlier one."""
    hold, service = snapshot.hold, snapshot.service or {}
    if hold is not None and hold.phase == HELD and hold.new:
        return all(entry.revision_name != hold.new for entry in snapshot.ro.spec.target_revisions)
    generation = (service.get("metadata") or {}).get("generation")
    return generation is not None and generation != (service.get("status") or {}).get("observedGeneration")


def _since(snapshot: Snapshot, state: State) -> datetime | None:
    """Since when the state holds, by the conditions."""
    ro = snapshot.ro
    if state in ("Complete", "Failed"):
        return ro.status.conditions.changed_at(READY)
    return waiting_since(ro, snapshot.strategy)


def _seconds_left(snapshot: Snapshot) -> float | None:
    try:
        return seconds_left(with_time_left(snapshot.ro, snapshot.at), snapshot.at)
    except InvalidRollout:
        return None


def _stages(snapshot: Snapshot) -> tuple[int | None, int | None]:
    ro = as_carried(snapshot.ro)
    if ro.is_complete or is_back(ro):
        return None, None
    scales = {name: one.running for name, one in snapshot.revisions.items() if one.running is not None}
    spas = {name for name, one in snapshot.revisions.items() if one.spa is not None}
    counted = stage_count(ro, snapshot.config, scales, spas)
    return counted if counted is not None else (stage_number(ro), None)


def _revisions(snapshot: Snapshot) -> list[RevisionSummary]:
    """The live revisions: those with a share, wished or real, and those that run, want or end replicas."""
    spec, status = snapshot.ro.spec, snapshot.ro.status
    listed = spec.stage_target_revisions or without_idle(status.stage_revision_status) or spec.initial_revisions
    entries = entries_by_revision(listed)
    order = [*entries, *(name for name in sorted(snapshot.revisions) if name not in entries)]
    found = []
    for name in order:
        entry, seen = entries.get(name), snapshot.of(name)
        real = None if snapshot.traffic is None else snapshot.traffic.get(name, 0)
        target = entry.target_replicas if entry is not None else None
        one = RevisionSummary(
            name=name,
            direction=entry.normalised_direction if entry is not None else DIRECTION_STAY,
            wished=(entry.percent or 0) if entry is not None else 0,
            real=real,
            wanted=seen.desired if target is None else target,
            running=seen.running,
            ending=seen.ending,
            bounds=seen.spa.bounds if seen.spa is not None else (None, None),
            problems=tuple(pod_problems(seen, snapshot.at)),
        )
        if _is_live(one, seen) or (entry is not None and not snapshot.ro.is_complete):
            found.append(one)
    return found


def _is_live(one: RevisionSummary, seen: RevisionSnapshot) -> bool:
    return bool(one.wished or one.real or one.running or one.wanted or one.ending or seen.live_pods)
