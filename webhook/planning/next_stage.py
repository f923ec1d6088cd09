"""The next stage of a rollout."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, RolloutSpec, TargetRevision
from webhook.api.conditions import LAST_STAGE_READY, STAGE_READY
from webhook.api.target_revision import DIRECTION_DOWN, one_per_revision
from webhook.api.wire import format_time
from webhook.api.word import word_of
from webhook.planning.config import MAX_RATIO, RolloutConfig, held_ratio, strategy_in_force
from webhook.planning.errors import PlanningError
from webhook.planning.increment import StartEntry, read_baseline, take_step
from webhook.planning.plan import Note, StagePlan

SEVERAL_TARGETS: Final = "SeveralTargets"
"""Reason of the Event for a rollout without stages because it has several targets."""

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


def plan_stages(
    ro: RolloutOrchestrator,
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
    now: datetime,
) -> StagePlan:
    """Plan the next stage if one is due. Call it in every pass: it decides whether one is.

    ``pod_autoscalers`` maps revision names to actual scales: None if the PodAutoscaler has none yet, no entry if it
    does not exist. ``spas`` holds the names of the SPAs that exist. ``now`` is timezone-aware; targetFinishTime becomes
    ``now`` plus the timeout, in RFC 3339.

    A stage is due if there is none, or if StageReady is True and LastStageReady is not. None is due while StageReady is
    False and the generation is the observed one. Entries of one revision count as one. With several targets, the stage
    is the list of targets. Never raises: see StagePlan.error.
    Mirrors ``updateRolloutOrchestrator``.
    """
    spec = ro.spec.copy()
    if ro.has_failed:
        return StagePlan(spec)
    if not word_of(spec.rollout_strategy):
        spec.rollout_strategy = strategy_in_force(ro, config)
    targets = one_per_revision(spec.target_revisions)
    if len(targets) != 1 or not config.progressive_rollout_enabled:
        spec.stage_target_revisions = list(spec.target_revisions)
        return StagePlan(spec, notes=_unplanned(ro, targets, config))
    if not _is_due(ro):
        return StagePlan(spec)
    if _same_but_for_routes(one_per_revision(spec.initial_revisions), targets):
        return StagePlan(_begin(spec, targets, config, now), planned=True)
    target = targets[0]
    start = _start_of(ro, target)
    if not start:
        spec.stage_target_revisions = targets
        return StagePlan(spec)
    return _plan_from(start, target, spec, config, pod_autoscalers, spas, now)


def _is_due(ro: RolloutOrchestrator) -> bool:
    conditions = ro.status.conditions
    reached = conditions.is_true(STAGE_READY) and not conditions.is_true(LAST_STAGE_READY)
    return reached or not ro.spec.stage_target_revisions


def _same_but_for_routes(initial: Sequence[TargetRevision], target: Sequence[TargetRevision]) -> bool:
    plain = [[replace(revision, tag="", url="") for revision in revisions] for revisions in (initial, target)]
    return plain[0] == plain[1]


def _unplanned(ro: RolloutOrchestrator, targets: Sequence[TargetRevision], config: RolloutConfig) -> tuple[Note, ...]:
    """The note for a rollout with several targets, which has no stages, until it is complete."""
    is_over = ro.status.conditions.is_true(LAST_STAGE_READY) and bool(ro.spec.stage_target_revisions)
    if len(targets) < 2 or not config.progressive_rollout_enabled or is_over:
        return ()
    names = ", ".join(target.revision_name for target in targets)
    message = f"spec.targetRevisions: {names} go up at once, without stages; to have stages name one revision"
    return (Note(SEVERAL_TARGETS, message),)


def _start_of(ro: RolloutOrchestrator, target: TargetRevision) -> list[StartEntry]:
    """The entries that the stage starts from: the recorded ones, else the initial revisions, without idle ones.

    If there is no stage, an earlier rollout recorded the list. Entries without percent had just lost all of their
    traffic and are left out too. If the target is in the list, this is a rollback: directions and target replicas of
    the earlier rollout no longer apply, and the target itself may be recorded as ``stay``.
    """
    recorded, planned = ro.status.stage_revision_status, bool(ro.spec.stage_target_revisions)
    path, revisions = "spec.initialRevisions", ro.spec.initial_revisions
    if recorded and planned:
        path, revisions = "status.stageRevisionStatus", recorded
    places = {revision.revision_name: index for index, revision in reversed([*enumerate(revisions)])}
    entries = [
        StartEntry(revision, f"{path}[{places[revision.revision_name]}]")
        for revision in one_per_revision(revisions)
        if revision.percent != 0
    ]
    if planned:
        return entries
    if any(entry.revision.revision_name == target.revision_name for entry in entries):
        entries = [replace(e, revision=replace(e.revision, direction="", target_replicas=None)) for e in entries]
    return [entry for entry in entries if entry.revision.percent is not None]


def _plan_from(
    start: Sequence[StartEntry],
    target: TargetRevision,
    spec: RolloutSpec,
    config: RolloutConfig,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
    now: datetime,
) -> StagePlan:
    ratio, notes = held_ratio(config.over_consumption_ratio)
    try:
        stage = _stage_after(start, target, ratio, pod_autoscalers, spas)
    except (InvalidRollout, MissingObservation, PlanningError) as error:
        if ratio == MAX_RATIO:
            spec.stage_target_revisions = [*(_without_traffic(e.revision) for e in start), target]
        return StagePlan(spec, notes=notes, error=error)
    return StagePlan(_begin(spec, stage, config, now), planned=True, notes=notes)


def _stage_after(
    start: Sequence[StartEntry],
    target: TargetRevision,
    ratio: int,
    pod_autoscalers: Mapping[str, int | None],
    spas: Container[str],
) -> list[TargetRevision]:
    baseline = read_baseline([entry.revision for entry in start], pod_autoscalers, spas)
    # No replicas to measure, or no other revision to take traffic from: the next stage is the last.
    if baseline.replicas == 0 or [entry.revision.revision_name for entry in start] == [target.revision_name]:
        return [target]
    return take_step(start, target, baseline, ratio, pod_autoscalers)


def _without_traffic(revision: TargetRevision) -> TargetRevision:
    return replace(revision, direction=DIRECTION_DOWN, latest_revision=False, percent=None)


def _begin(spec: RolloutSpec, stage: Sequence[TargetRevision], config: RolloutConfig, now: datetime) -> RolloutSpec:
    """The spec with this stage and its targetFinishTime."""
    return replace(
        spec,
        stage_target_revisions=list(stage),
        target_finish_time=format_time(_after(now, config.stage_rollout_timeout_minutes)),
    )


def _after(now: datetime, minutes: int) -> datetime:
    """``now`` plus the timeout, which is not checked when it is read and may exceed the range of datetime."""
    try:
        return now + timedelta(minutes=minutes)
    except OverflowError:
        return _END_OF_TIME if minutes > 0 else now
