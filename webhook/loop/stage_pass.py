"""What a pass decides about the stage of a rollout: which SPAs to set, and what its status becomes."""

from collections.abc import Mapping
from datetime import datetime

from webhook.api import RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.api.conditions import READY, STAGE_READY, STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.target_revision import one_per_revision
from webhook.strategies import RevisionConditionLister, Rollout, SPAClient, SPALister, Strategy
from webhook.strategies.evidence import can_run, gets_traffic
from webhook.strategies.scale_step import Clock, EnqueueAfter
from webhook.strategies.stage_entries import Revisions, is_last_stage_complete, up_and_down, without_idle


class NothingGoesUp(ValueError):
    """No entry of the stage goes up: there is nothing to roll out to. Another spec is the way out."""


def carry_stage(
    ro: RolloutOrchestrator,
    strategy: Strategy,
    strategies: Mapping[str, Rollout],
    client: SPAClient,
    lister: SPALister,
    conditions: RevisionConditionLister,
    enqueue_after: EnqueueAfter,
    clock: Clock,
) -> None:
    """Steps 2 to 7 of a pass: obsolete SPAs are reset, the steps of the strategy are taken, the status follows.

    A rollout that names nothing but what goes up leaves the other SPAs of its service: a strategy that goes up first
    resets them once the stage is done. Upstream resets them at once.

    Raises NothingGoesUp; InvalidRollout where upstream panics over the spec; and what the strategy raises.
    """
    stage = ro.spec.stage_target_revisions
    up, down = up_and_down(stage)
    if not up:
        raise NothingGoesUp(
            f"spec.stageTargetRevisions of RolloutOrchestrator {ro.namespace}/{ro.name}: no entry goes up;"
            " set direction: up on the revision that the stage leads to"
        )
    resets_last = strategy.goes_up_first and _names_only(ro, up) and not ro.status.conditions.is_true(READY)
    if not resets_last:
        reset_obsolete(ro, client, lister)
    if strategies[strategy.name].reconcile(ro, up, down, enqueue_after):
        record_outcome(ro, clock(), can_all_run=_can_all_run(ro, up, lister, conditions))
    if resets_last and ro.status.conditions.is_true(STAGE_READY):
        reset_obsolete(ro, client, lister)


def reset_obsolete(ro: RolloutOrchestrator, client: SPAClient, lister: SPALister) -> None:
    """Let the SPAs of this service that the rollout names neither in its stage nor in its start go to nothing (0/1).

    One that neither wants nor runs replicas is left alone. Upstream leaves one alone that still runs some, too.
    """
    named = {r.revision_name for r in (*ro.spec.stage_target_revisions, *ro.spec.initial_revisions)}
    for spa in lister.list(ro.namespace, {SERVICE_LABEL: ro.name}):
        if spa.name not in named and not _is_gone(spa) and (spa.stage_min_scale, spa.stage_max_scale) != (0, 1):
            client.update(spa.with_bounds(0, 1))


def record_outcome(ro: RolloutOrchestrator, now: datetime, *, can_all_run: bool = True) -> None:
    """What the status becomes when no step has to be waited for. Raises InvalidRollout.

    The stage was in progress: it is recorded and ready, and so is the rollout if it was the last. The stage was ready,
    and the rollout has changed since and is not complete, or what goes up has not shown that it can run: a new stage
    begins. Otherwise all is ready.
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


def _can_all_run(
    ro: RolloutOrchestrator, up: Revisions, lister: SPALister, conditions: RevisionConditionLister
) -> bool:
    """Whether all that go up have shown that they can run; one recorded with traffic has, while it reports no scale."""
    recorded = {entry.revision_name for entry in ro.status.stage_revision_status if gets_traffic(entry)}
    for name, revision in up.items():
        spa = lister.get(ro.namespace, name)
        is_silent = spa is None or spa.desired_scale is None or spa.actual_scale is None
        if is_silent and name in recorded:
            continue
        if not can_run(spa, revision, conditions.conditions(ro.namespace, name)):
            return False
    return True


def _names_only(ro: RolloutOrchestrator, up: Revisions) -> bool:
    """Whether stage and start name no revision but those that go up."""
    return all(r.revision_name in up for r in (*ro.spec.stage_target_revisions, *ro.spec.initial_revisions))


def _is_gone(spa: StagePodAutoscaler) -> bool:
    return spa.desired_scale == 0 and not spa.actual_scale
