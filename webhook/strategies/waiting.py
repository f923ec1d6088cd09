"""What a stage waits for: the step that is not done, and its words."""

from datetime import datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_READY
from webhook.strategies.rollout import StageStep
from webhook.strategies.stage import Stage
from webhook.strategies.table import Strategy


def pending_step(ro: RolloutOrchestrator, strategy: Strategy) -> type[StageStep] | None:
    """The step that the stage waits for; None when it waits for none."""
    conditions = ro.status.conditions
    if not ro.spec.stage_target_revisions or not conditions.is_unknown(STAGE_READY):
        return None
    begun = (step for step in strategy.steps if conditions.get(step.condition))
    return next((step for step in begun if conditions.is_unknown(step.condition)), None)


def waiting_for(ro: RolloutOrchestrator, stage: Stage, strategy: Strategy) -> str | None:
    """What the stage waits for, in words that stay the same while it does; None when it waits for nothing."""
    step = pending_step(ro, strategy)
    wanted = step.waits_for(stage) if step is not None else None
    if step is None or wanted is None:
        return None
    detail = ro.stage_in_progress_detail(step.condition)
    return f"{wanted}: {detail}" if detail else wanted


def waiting_since(ro: RolloutOrchestrator, strategy: Strategy) -> datetime | None:
    """Since when a stage waits: the time at which the conditions of its steps last changed; None if they have none."""
    conditions = (ro.status.conditions.get(step.condition) for step in strategy.steps)
    times = [one.last_transition_time for one in conditions if one is not None and one.last_transition_time]
    return max(times, default=None)
