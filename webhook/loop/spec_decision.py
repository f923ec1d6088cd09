"""The decision about an RO's spec: new targets, the next stage, or a late stage.

A function of the observation and of what the status records: what was reached, and the targets that the stage was
planned for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, RolloutSpec, TargetRevision, wire
from webhook.api.conditions import FALSE, LAST_STAGE_READY, PAUSED, STAGE_READY, STAGE_TRAFFIC_READY, TRUE
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import Wire
from webhook.loop.observation import Observed
from webhook.planning import (
    Note,
    PlanningError,
    RolloutConfig,
    StagePlan,
    plan_stages,
    restart,
    shift_traffic_next_stage,
    targets_differ,
)
from webhook.planning.abort import abort_record, around_failed, entries_with
from webhook.planning.config import MAX_RATIO
from webhook.planning.measured import measured_while_held
from webhook.planning.pause import with_time_left
from webhook.planning.planned_targets import record_of, recorded_targets
from webhook.planning.shift import Overdue, next_finish_time, overdue, seconds_left
from webhook.strategies.stage import Stage

RECORD_IGNORED: Final = "RecordIgnored"
"""Reason of the Event for a recorded status that nothing is planned from."""

_RECORD: Final = "status.stageRevisionStatus"
_NOTHING_LEFT: Final = "no traffic is left to shift"
_NOT_FOLLOWED: Final = "its Route has not shown the traffic of the stage for that long"


@dataclass(frozen=True, slots=True)
class SpecDecision:
    """``spec`` is to be stored where it differs from the RO's own; with an error it never does.

    ``patch`` is what to store of it, empty for nothing. ``planned_for`` is what is to be recorded of the targets that
    the stage is planned for, None to leave the record. ``late`` is set if the stage is overdue and its traffic cannot
    be shifted; ``requeue_after`` is in seconds, where that changes by itself.
    """

    spec: RolloutSpec
    notes: tuple[Note, ...] = ()
    error: Exception | None = None
    late: Overdue | None = None
    patch: Wire = field(default_factory=dict)
    planned_for: str | None = None
    requeue_after: float | None = None


def decide_spec(
    ro: RolloutOrchestrator, seen: Observed, now: datetime, *, is_paused: bool = False, is_aborted: bool = False
) -> SpecDecision:
    """Decide the next spec of a rollout. One that has failed for its present spec keeps it, and so does a paused one.

    The start of an aborted one is that of its way back, which is not planned anew.
    """
    if is_paused:
        return SpecDecision(ro.spec)
    decision = _decide(with_time_left(ro, now), seen, now, is_aborted=is_aborted)
    is_planned = decision.error is None and decision.spec.stage_target_revisions and not ro.has_failed
    return replace(
        decision,
        patch=spec_patch(ro.spec, decision.spec),
        planned_for=record_of(ro.spec.target_revisions) if is_planned else None,
    )


def _decide(ro: RolloutOrchestrator, seen: Observed, now: datetime, *, is_aborted: bool) -> SpecDecision:
    if ro.has_failed:
        return SpecDecision(ro.spec)
    try:
        sound, about_record = with_sound_record(ro)
        start, config = _start_of(sound, seen, is_aborted=is_aborted), seen.config
        failed = _failed(seen) if is_aborted else ()
        if failed:
            start = around_failed(start, failed, seen.live)
            config = replace(config, over_consumption_ratio=MAX_RATIO)
        # A stage whose record cannot be planned from is begun again, which records it anew.
        if _is_stored_and_not_begun(replace(start, status=ro.status)):
            return SpecDecision(ro.spec, about_record)
        measured: tuple[Mapping[str, int | None], frozenset[str]] = (seen.pod_autoscalers, seen.spas)
        if seen.is_held:
            measured = measured_while_held(start, *measured)
        plan = plan_stages(start, config, *measured, now)
        notes = about_record + plan.notes
        if plan.error is not None:
            return SpecDecision(ro.spec, notes, plan.error)
        spec = _settled(ro, plan)
        if failed:
            spec = replace(spec, initial_revisions=ro.spec.initial_revisions)
        if spec != ro.spec:
            return SpecDecision(spec, notes)
        late = _after_timeout(ro, seen, seen.config, now)
        return replace(late, notes=about_record + late.notes)
    except InvalidRollout as error:
        return SpecDecision(ro.spec, error=error)


def spec_patch(before: RolloutSpec, after: RolloutSpec) -> Wire:
    """The merge patch for the fields of the spec that the loop owns; all others, also the targets, are the author's."""
    patch: Wire = {}
    lists = {"initialRevisions": "initial_revisions", "stageTargetRevisions": "stage_target_revisions"}
    for key, name in lists.items():
        revisions = getattr(after, name)
        if revisions != getattr(before, name):
            patch[key] = [revision.to_dict() for revision in revisions] or None
    if after.target_finish_time != before.target_finish_time:
        patch["targetFinishTime"] = after.target_finish_time
    if after.rollout_strategy != before.rollout_strategy:
        patch["rolloutStrategy"] = after.rollout_strategy
    return patch


def _start_of(ro: RolloutOrchestrator, seen: Observed, *, is_aborted: bool) -> RolloutOrchestrator:
    if not has_new_targets(ro) and not (is_aborted and _leads_astray(ro)):
        return ro
    if seen.is_held or is_aborted:
        spec = replace(ro.spec.copy(), stage_target_revisions=[], target_finish_time=None)
        if not is_aborted and abort_record(ro) is not None:
            # The abort was taken back on its way, where no edit of the Service gave the rollout a new start.
            spec.initial_revisions = entries_with(ro, seen.live)
        return replace(ro, spec=spec)
    spec = restart(ro, route_has_traffic=seen.route_has_traffic, deployments=seen.deployments or ())
    return replace(ro, spec=spec)


def _failed(seen: Observed) -> frozenset[str]:
    """The revisions to which a held Route sends requests although Knative says that they have failed."""
    conditions = {name: seen.revisions[name].conditions.revision_ready for name in seen.live if name in seen.revisions}
    return frozenset(name for name, ready in conditions.items() if ready is not None and ready.status == FALSE)


def _leads_astray(ro: RolloutOrchestrator) -> bool:
    """True for an aborted rollout whose stage moves revisions that are not on its way back: it is of a rollout before.

    Such a stage lets nothing go of the revision that was aborted.
    """
    start, stage = (
        {one.revision_name for one in some} for some in (ro.spec.initial_revisions, ro.spec.stage_target_revisions)
    )
    return bool(stage - start)


def _is_stored_and_not_begun(ro: RolloutOrchestrator) -> bool:
    """True if the stage comes after the recorded one, and the conditions are still those of the recorded one.

    Then a process ended, or a request failed, between the two writes. By now the replicas may have moved, and another
    plan from the same record could lead back behind the stage that traffic already follows.
    """
    conditions, recorded = ro.status.conditions, ro.status.stage_revision_status
    if not recorded or not ro.spec.stage_target_revisions:
        return False
    done = conditions.is_true(STAGE_READY) and not conditions.is_true(LAST_STAGE_READY)
    return done and list(Stage.of(ro.spec).reached) != recorded


def _settled(ro: RolloutOrchestrator, plan: StagePlan) -> RolloutSpec:
    """The planned spec; a stage that was stored but whose begin was not recorded keeps its time."""
    spec, stored = plan.spec, ro.spec
    same_stage = plan.planned and spec.stage_target_revisions == stored.stage_target_revisions
    if same_stage and stored.target_finish_time is not None:
        return replace(spec, target_finish_time=stored.target_finish_time)
    return spec


def _after_timeout(ro: RolloutOrchestrator, seen: Observed, config: RolloutConfig, now: datetime) -> SpecDecision:
    if seconds_left(ro, now) != 0.0:
        return SpecDecision(ro.spec)
    late = overdue(ro, seen.deployments)
    if late.obstacle is not None:
        return SpecDecision(ro.spec, late=late)
    left = _until_followed(ro, seen, config, now) if seen.is_held else 0.0
    if left != 0.0:
        # Shares that add up unseen would all move at once, to replicas that are enough for the first of them.
        return SpecDecision(ro.spec, late=replace(late, obstacle=_NOT_FOLLOWED), requeue_after=left)
    stage = one_per_revision(ro.spec.stage_target_revisions)
    if not any(entry.goes_down and entry.percent for entry in stage):
        # A plan or an earlier shift took the last of the traffic: the entry going down then has no percent.
        return SpecDecision(ro.spec, late=replace(late, obstacle=_NOTHING_LEFT))
    try:
        shift = shift_traffic_next_stage(stage, config.over_consumption_ratio, seen.pod_autoscalers, seen.spas)
    except (MissingObservation, PlanningError) as problem:
        return SpecDecision(ro.spec, late=replace(late, obstacle=str(problem)))
    if shift.revisions == stage:
        return SpecDecision(ro.spec, shift.notes, late=replace(late, obstacle=_NOTHING_LEFT))
    finish = next_finish_time(now, config.stage_rollout_timeout_minutes)
    spec = replace(ro.spec.copy(), stage_target_revisions=shift.revisions, target_finish_time=finish)
    return SpecDecision(spec, shift.notes)


def _until_followed(ro: RolloutOrchestrator, seen: Observed, config: RolloutConfig, now: datetime) -> float | None:
    """Seconds until the held Route has shown the shares of the stage for as long as a stage may take.

    None while it does not show them; it may never do.
    """
    moved = ro.status.conditions.get(STAGE_TRAFFIC_READY)
    if not seen.follows_stage or moved is None or moved.status != TRUE or moved.last_transition_time is None:
        return None
    finish = wire.parse_time(next_finish_time(moved.last_transition_time, config.stage_rollout_timeout_minutes))
    return max(0.0, (finish - now).total_seconds()) if finish is not None else None


def with_sound_record(ro: RolloutOrchestrator) -> tuple[RolloutOrchestrator, tuple[Note, ...]]:
    """The RO with a record that can be planned from, and a note where its own had to be ignored.

    A list that ``spec.initialRevisions`` may not have must not be copied there. It is replaced by the stage if that
    was reached, else by no record.
    """
    problem = problem_of(ro.status.stage_revision_status)
    if problem is None:
        return ro, ()
    is_reached = ro.status.conditions.is_true(STAGE_READY) and bool(ro.spec.stage_target_revisions)
    reached = list(Stage.of(ro.spec).reached) if is_reached else []
    status = ro.status.copy()
    status.stage_revision_status = reached if problem_of(reached) is None else []
    note = Note(RECORD_IGNORED, f"{problem}; the recorded status is ignored: the loop writes it, nobody else should")
    return replace(ro, status=status), (note,)


def problem_of(recorded: Sequence[TargetRevision]) -> str | None:
    """The first entry of a record that no stage can have reached, with its field; None if there is none."""
    for index, entry in enumerate(recorded):
        field = f"{_RECORD}[{index}]"
        if not entry.revision_name.strip():
            return f"{field}.revisionName: must not be empty"
        if entry.percent is not None and not 0 <= entry.percent <= 100:
            return f"{field}.percent: {entry.percent} is not from 0 to 100"
        counts = {"targetReplicas": entry.target_replicas, "minScale": entry.min_scale, "maxScale": entry.max_scale}
        for name, count in counts.items():
            if count is not None and count < 0:
                return f"{field}.{name}: {count} is below 0"
    return None


def has_new_targets(ro: RolloutOrchestrator) -> bool:
    """True if the stage was planned for other targets than the spec names now, so that the rollout starts anew.

    A stage that leads to the present targets was planned for them, whatever the record says: it is stored before the
    record is. Raises InvalidRollout when a target that has to be compared has no percent.
    """
    recorded = recorded_targets(ro)
    stage = ro.spec.stage_target_revisions
    if recorded is None and not stage:
        return False
    if recorded is not None and not targets_differ(ro.spec.target_revisions, recorded):
        # A stage for other targets was stored, but not its record; and then these were set again. A paused rollout
        # observes a generation without a plan.
        is_one = len(one_per_revision(ro.spec.target_revisions)) == 1
        is_unplanned = ro.metadata.generation != ro.status.observed_generation or ro.status.conditions.get(PAUSED)
        return is_one and bool(is_unplanned) and bool(stage) and not _leads_to(stage, ro.spec.target_revisions)
    return not stage or not _leads_to(stage, ro.spec.target_revisions)


def _leads_to(stage: list[TargetRevision], targets: list[TargetRevision]) -> bool:
    if not targets_differ(targets, stage):
        return True
    # A list without directions, as at the end of a rollout to several, goes up in all of its revisions.
    up = {entry.revision_name for entry in one_per_revision(stage) if entry.goes_up}
    return len(one_per_revision(targets)) == 1 and up == {targets[0].revision_name}
