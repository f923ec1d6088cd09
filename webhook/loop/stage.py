"""What a pass decides about the stage of a rollout: which SPAs to set, and what its status becomes."""

from collections.abc import Mapping
from datetime import datetime

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import READY, STAGE_READY, STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.target_revision import one_per_revision
from webhook.strategies import Rollout, SPAClient, SPALister, normalise_strategy
from webhook.strategies.stage import is_last_stage_complete, up_and_down, without_idle
from webhook.strategies.step import Clock, EnqueueAfter


class NothingGoesUp(ValueError):
    """No entry of the stage goes up: there is nothing to roll out to. Another spec is the way out."""


def carry_stage(
    ro: RolloutOrchestrator,
    strategies: Mapping[str, Rollout],
    client: SPAClient,
    lister: SPALister,
    enqueue_after: EnqueueAfter,
    clock: Clock,
) -> None:
    """Steps 2 to 7 of a pass: obsolete SPAs are reset, the steps of the strategy are taken, the status follows.

    Raises NothingGoesUp; InvalidRollout where upstream panics over the spec; and what the strategy raises.
    """
    stage = ro.spec.stage_target_revisions
    up, down = up_and_down(stage)
    if not up:
        raise NothingGoesUp(
            f"spec.stageTargetRevisions of RolloutOrchestrator {ro.namespace}/{ro.name}: no entry goes up;"
            " set direction: up on the revision that the stage leads to"
        )
    reset_obsolete(ro, client, lister)
    rollout = strategies[normalise_strategy(ro.spec.rollout_strategy)]
    if rollout.reconcile(ro, up, down, enqueue_after):
        record_outcome(ro, clock())


def reset_obsolete(ro: RolloutOrchestrator, client: SPAClient, lister: SPALister) -> None:
    """Let the SPAs of this service that the rollout names neither in its stage nor in its start go to nothing (0/1).

    One that neither wants nor runs replicas is left alone. Upstream leaves one alone that still runs some, too.
    """
    named = {r.revision_name for r in (*ro.spec.stage_target_revisions, *ro.spec.initial_revisions)}
    for spa in lister.list(ro.namespace, {SERVICE_LABEL: ro.name}):
        if spa.name not in named and not _is_gone(spa) and (spa.stage_min_scale, spa.stage_max_scale) != (0, 1):
            client.update(spa.with_bounds(0, 1))


def record_outcome(ro: RolloutOrchestrator, now: datetime) -> None:
    """What the status becomes when no step has to be waited for. Raises InvalidRollout.

    The stage was in progress: it is recorded and ready, and so is the rollout if it was the last. The stage was ready
    and a rollout that is not complete has changed since: a new stage begins. Otherwise all is ready.
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
        and not is_last_stage_complete(ro.status.stage_revision_status, final)
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


def _is_gone(spa: StagePodAutoscaler) -> bool:
    return spa.desired_scale == 0 and not spa.actual_scale
