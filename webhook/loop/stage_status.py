"""The status of a stage: prepared before a pass, and set once every step is ready."""

from datetime import datetime

from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.api.conditions import LAST_STAGE_READY, READY, STAGE_READY, STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY
from webhook.api.target_revision import one_per_revision
from webhook.strategies.stage_entries import is_last_stage_complete, without_idle


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


def record_outcome(ro: RolloutOrchestrator, now: datetime, *, can_all_run: bool = True) -> None:
    """Set the status when no step has to be waited for. Raises InvalidRollout.

    A stage in progress is recorded and ready, and so is the rollout if the stage was its last. If the stage was ready
    and the rollout has changed since, a new stage begins, unless the rollout is complete and what goes up has shown
    that it can run. Otherwise all is ready.
    """
    conditions, final = ro.status.conditions, ro.spec.target_revisions
    if conditions.is_unknown(STAGE_READY):
        reached = reached_by_stage(ro)
        complete = is_last_stage_complete(reached, final)
        ro.status.stage_revision_status = reached
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
        for type_ in (STAGE_SCALE_UP_READY, STAGE_SCALE_DOWN_READY, STAGE_READY):
            ro.mark_stage_in_progress(type_, now)
        ro.mark_last_stage_in_progress(now)
    else:
        ro.mark_stage_scale_up_ready(now)
        ro.mark_stage_scale_down_ready(now)
        ro.mark_stage_ready(now)
        ro.mark_last_stage_ready(now)


def reached_by_stage(ro: RolloutOrchestrator) -> list[TargetRevision]:
    """What is recorded of the stage when it is done: its entries as they are, tags included."""
    stage, targets = ro.spec.stage_target_revisions, ro.spec.target_revisions
    is_longer = len(one_per_revision(stage)) > len(one_per_revision(targets))
    return without_idle(stage) if is_longer else list(stage)
