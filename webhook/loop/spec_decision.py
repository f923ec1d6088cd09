"""The decision about an RO's spec: new targets, the next stage, or a late stage; a function of the observation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, RolloutSpec
from webhook.api.conditions import LAST_STAGE_READY, STAGE_READY
from webhook.api.target_revision import one_per_revision
from webhook.api.wire import Wire
from webhook.loop.recorded_status import has_new_targets, with_sound_record
from webhook.loop.rollout_settings import SettingsEvent
from webhook.loop.stage_status import reached_by_stage
from webhook.loop.timeout import Overdue, next_finish_time, overdue, seconds_left
from webhook.planning import (
    Note,
    PlanningError,
    RolloutConfig,
    StagePlan,
    plan_stages,
    restart,
    shift_traffic_next_stage,
    strategy_in_force,
)
from webhook.planning.next_stage import has_failed
from webhook.strategies import STRATEGIES, Strategy

_NOTHING_LEFT: Final = "no traffic is left to shift"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the cluster shows of one rollout, apart from the RO itself.

    ``pod_autoscalers`` holds actual scales by revision name: None where the object has none yet, no entry where it does
    not exist. ``deployments`` are those of the service, None where they cannot be seen; ``route_has_traffic`` is None
    where there is no Route. ``ignored_settings`` are the settings without effect.
    """

    config: RolloutConfig
    pod_autoscalers: Mapping[str, int | None]
    spas: frozenset[str]
    deployments: Sequence[Mapping[str, Any]] | None = None
    route_has_traffic: bool | None = None
    ignored_settings: tuple[SettingsEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecDecision:
    """``spec`` is to be stored where it differs from the RO's own; with an error it never does.

    ``late`` is set if the stage is overdue and its traffic cannot be shifted.
    """

    spec: RolloutSpec
    notes: tuple[Note, ...] = ()
    error: Exception | None = None
    late: Overdue | None = None


def decide_spec(ro: RolloutOrchestrator, seen: Observed, now: datetime) -> SpecDecision:
    """Decide the next spec of a rollout. One that has failed for its present spec keeps it."""
    if has_failed(ro):
        return SpecDecision(ro.spec)
    try:
        sound, about_record = with_sound_record(ro)
        start = _start_of(sound, seen)
        # A stage whose record cannot be planned from is begun again, which records it anew.
        if _is_stored_and_not_begun(replace(start, status=ro.status)):
            return SpecDecision(ro.spec, about_record)
        plan = plan_stages(start, seen.config, seen.pod_autoscalers, seen.spas, now)
        notes = about_record + plan.notes
        if plan.error is not None:
            return SpecDecision(ro.spec, notes, plan.error)
        spec = _settled(ro, plan)
        if spec != ro.spec:
            return SpecDecision(spec, notes)
        late = _after_timeout(ro, seen, seen.config, now)
        return replace(late, notes=about_record + late.notes)
    except InvalidRollout as error:
        return SpecDecision(ro.spec, error=error)


def strategy_of(ro: RolloutOrchestrator, seen: Observed) -> Strategy:
    """The strategy by which the stage is carried out."""
    return STRATEGIES[strategy_in_force(ro, seen.config)]


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


def _start_of(ro: RolloutOrchestrator, seen: Observed) -> RolloutOrchestrator:
    if not has_new_targets(ro):
        return ro
    spec = restart(ro, route_has_traffic=seen.route_has_traffic, deployments=seen.deployments or ())
    return replace(ro, spec=spec)


def _is_stored_and_not_begun(ro: RolloutOrchestrator) -> bool:
    """True if the stage comes after the recorded one, and the conditions are still those of the recorded one.

    Then a process ended, or a request failed, between the two writes. By now the replicas may have moved, and another
    plan from the same record could lead back behind the stage that traffic already follows.
    """
    conditions, recorded = ro.status.conditions, ro.status.stage_revision_status
    if not recorded or not ro.spec.stage_target_revisions:
        return False
    done = conditions.is_true(STAGE_READY) and not conditions.is_true(LAST_STAGE_READY)
    return done and reached_by_stage(ro) != recorded


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
