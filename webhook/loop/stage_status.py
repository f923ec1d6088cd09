"""The status of a rollout: prepared before a pass, set once every step is ready, and explained at the end."""

from collections.abc import Container, Mapping
from datetime import datetime

from webhook.api import InvalidRollout, RolloutOrchestrator
from webhook.api.conditions import (
    FALSE,
    LAST_STAGE_READY,
    NO_TRAFFIC_YET,
    PAUSED,
    READY,
    RECONCILING,
    ROUTE_HELD,
    STAGE_READY,
    STALLED,
    ConditionSet,
)
from webhook.api.reasons import ABORTED, OWNERSHIP_CONFLICT, TIMED_OUT
from webhook.api.rollout_orchestrator import RolloutStatus
from webhook.api.target_revision import one_per_revision
from webhook.loop.spec_decision import SpecDecision
from webhook.planning.planned_targets import PLANNED_TARGETS
from webhook.planning.shift import Overdue
from webhook.planning.stage_number import STAGES_DONE
from webhook.strategies import Strategy
from webhook.strategies.protocols import ObservedRevision
from webhook.strategies.stage import Stage, is_last_stage_complete
from webhook.strategies.waiting import pending_step


def observe_generation(ro: RolloutOrchestrator, now: datetime) -> None:
    """Prepare the status of an RO for a pass: add missing conditions; a new generation makes Ready Unknown.

    A new generation gives a failed rollout another chance: StageReady and LastStageReady become Unknown too.
    """
    conditions = ro.status.conditions
    conditions.initialize(now)
    if ro.status.observed_generation != ro.metadata.generation:
        if conditions.is_false(STAGE_READY):
            ro.mark_new_generation(now, STAGE_READY)
            ro.mark_new_generation(now, LAST_STAGE_READY)
        ro.mark_new_generation(now)


def record_decision(ro: RolloutOrchestrator, decision: SpecDecision, now: datetime) -> None:
    """Record the targets that were planned for; mark an RO failed whose spec cannot be planned from."""
    if isinstance(decision.error, InvalidRollout):
        ro.status.conditions.initialize(now)
        ro.mark_stage_revision_failed(str(decision.error), now)
        ro.status.observed_generation = ro.metadata.generation
    elif decision.planned_for is not None and not ro.has_failed:
        if ro.status.annotations.get(PLANNED_TARGETS) != decision.planned_for:
            ro.status.annotations[STAGES_DONE] = "0"
        ro.status.annotations[PLANNED_TARGETS] = decision.planned_for


def block(ro: RolloutOrchestrator, owners: Mapping[str, str], now: datetime) -> None:
    """State in the conditions that the rollout moves nothing, and why. ``owners`` is from ``owners_in_conflict``."""
    observe_generation(ro, now)
    ro.status.observed_generation = ro.metadata.generation
    ro.mark_last_stage_in_progress(now)
    ro.status.conditions.mark_unknown(STAGE_READY, OWNERSHIP_CONFLICT, conflict_message(owners), now)


def conflict_message(owners: Mapping[str, str]) -> str:
    """Why the rollout is blocked, and the way out."""
    revisions = ", ".join(f"{revision} belongs to RolloutOrchestrator {owner}" for revision, owner in owners.items())
    return f"The rollout moves nothing: {revisions}; let only one of them name it."


def record_outcome(
    ro: RolloutOrchestrator, stage: Stage, strategy: Strategy, now: datetime, *, can_all_run: bool = True
) -> None:
    """Set the status when no step has to be waited for. Raises InvalidRollout.

    A stage in progress is recorded and ready, and so is the rollout if the stage was its last. If the stage was ready
    and the rollout has changed since, a new stage begins, unless the rollout is complete and what goes up has shown
    that it can run. Otherwise all is ready.
    """
    conditions, final = ro.status.conditions, ro.spec.target_revisions
    if conditions.is_unknown(STAGE_READY):
        complete = is_last_stage_complete(stage.reached, final)
        ro.status.stage_revision_status = list(stage.reached)
        ro.mark_stage_ready(now)
        if complete:
            ro.mark_last_stage_ready(now)
        else:
            ro.mark_last_stage_in_progress(now)
    elif (
        conditions.is_true(STAGE_READY)
        and conditions.is_unknown(READY)
        and not (is_last_stage_complete(ro.status.stage_revision_status, final) and can_all_run)
    ):
        for type_ in (*_step_conditions(ro, strategy), STAGE_READY):
            ro.mark_stage_in_progress(type_, now)
        ro.mark_last_stage_in_progress(now)
    else:
        for type_ in _step_conditions(ro, strategy):
            conditions.mark_true(type_, now)
        ro.mark_stage_ready(now)
        ro.mark_last_stage_ready(now)


def _step_conditions(ro: RolloutOrchestrator, strategy: Strategy) -> list[str]:
    """The conditions of the steps; one that is optional only where it is there."""
    conditions = ro.status.conditions
    return [step.condition for step in strategy.steps if not step.is_optional or conditions.get(step.condition)]


def explain(
    ro: RolloutOrchestrator,
    stage: Stage,
    strategy: Strategy,
    revisions: Mapping[str, ObservedRevision],
    late: Overdue | None,
    now: datetime,
) -> None:
    """State in the conditions what the stage waits for, and why a late one does not go on.

    A stage that this very pass completed is not late.
    """
    step = pending_step(ro, strategy)
    obstacles = step.obstacles(stage, revisions) if step is not None else []
    if step is not None and obstacles:
        for type_ in (step.condition, STAGE_READY):
            ro.mark_stage_in_progress(type_, now, "; ".join(obstacles))
    if late is not None and ro.status.conditions.is_unknown(STAGE_READY):
        ro.status.conditions.mark_unknown(STAGE_READY, TIMED_OUT, timeout_message(late), now)


def timeout_message(late: Overdue) -> str:
    return f"The stage was not done by {late.since}, and its traffic is not shifted: {late.obstacle}."


def settle_status(ro: RolloutOrchestrator, before: RolloutStatus, now: datetime) -> bool:
    """Complete a status that is to be stored; True if it differs from the one before, times aside.

    Conditions that say the same keep their times.
    """
    mark_progress(ro, now)
    ro.status.conditions.keep_times_of(before.conditions)
    return not ro.status.equals_except_times(before)


def mark_progress(ro: RolloutOrchestrator, now: datetime) -> None:
    """Set Stalled and Reconciling from the other conditions; from them kstatus and Flux compute the state of a rollout.

    A failed rollout is Stalled, and so is an aborted one that is back. One that is neither failed nor complete is
    Reconciling, also one that is late, paused, or moves nothing because a revision is not its own. Either is True with
    Ready's reason and message, else absent, as kstatus wants it. Both are a function of the other conditions, so that
    they cost no status write of their own, and only inform: neither we nor upstream's controllers count them for Ready.
    """
    conditions = ro.status.conditions
    ready = conditions.get(READY)
    is_back = ready is not None and ready.status == FALSE and ready.reason == ABORTED
    wanted = STALLED if ro.has_failed or is_back else RECONCILING
    if ready is None or conditions.is_true(READY):
        wanted = ""
    for type_ in {STALLED, RECONCILING} - {wanted}:
        conditions.remove(type_)
    if ready is not None and wanted:
        conditions.inform(wanted, ready.reason, ready.message, now)


def mark_held(ro: RolloutOrchestrator, is_held: bool, served: Container[str], now: datetime) -> None:
    """Set what holds only while the Route of the Knative Service is held, and remove it afterwards.

    RouteHeld has the time since when it is. NoTrafficYet names the targets that are not ``served`` any request.
    """
    conditions, targets = ro.status.conditions, one_per_revision(ro.spec.target_revisions)
    waiting = [entry.revision_name for entry in targets if entry.percent and entry.revision_name not in served]
    if is_held:
        message = f"The traffic of Service {ro.name} follows the stages until the rollout is over."
        conditions.inform(ROUTE_HELD, "RolloutInProgress", message, now)
    else:
        conditions.remove(ROUTE_HELD)
    if is_held and waiting:
        conditions.inform(NO_TRAFFIC_YET, "RolloutInProgress", f"No request reaches {', '.join(waiting)} yet.", now)
    else:
        conditions.remove(NO_TRAFFIC_YET)


def unmark_progress(conditions: ConditionSet) -> bool:
    """Remove them, and a pause, for a rollout that is left to a controller that does not know them; False for none."""
    present = [type_ for type_ in (STALLED, RECONCILING, PAUSED) if conditions.get(type_) is not None]
    for type_ in present:
        conditions.remove(type_)
    return bool(present)
