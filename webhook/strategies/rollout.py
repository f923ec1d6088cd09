"""A strategy at work: its steps in their order."""

from collections.abc import Sequence
from datetime import UTC, datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_READY
from webhook.strategies.protocols import (
    EventSink,
    PodClient,
    RevisionConditionLister,
    RevisionLister,
    SPAClient,
    SPALister,
)
from webhook.strategies.scale_down import ScaleDownStep
from webhook.strategies.scale_step import BaseScaleStep, Clock, EnqueueAfter, Revisions, RolloutStep
from webhook.strategies.scale_up import ScaleUpStep
from webhook.strategies.table import AVAILABILITY_STRATEGY, RESOURCE_UTIL_STRATEGY


class Rollout:
    """Carries a stage through its steps. Mirrors Rollout."""

    def __init__(self, rollout_steps: Sequence[RolloutStep]) -> None:
        self.rollout_steps = tuple(rollout_steps)

    def reconcile(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Revisions,
        rev_scaling_down: Revisions,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Execute and, while the stage is in progress, verify each step; stop at the first that is not ready.

        True when nothing is left to wait for: every step is ready, or the stage was not in progress (then only the
        first step was executed, so that its bounds hold). Raises what the steps raise.
        """
        for step in self.rollout_steps:
            step.execute(ro, rev_scaling_up, rev_scaling_down)
            if not ro.status.conditions.is_unknown(STAGE_READY):
                return True
            ready = step.verify(ro, rev_scaling_up, rev_scaling_down, enqueue_after)
            step.modify_status(ro, ready)
            if not ready:
                return False
        return True


def new_rollout_strategy(
    client: SPAClient,
    kube_client: PodClient,
    spa_lister: SPALister,
    *,
    clock: Clock | None = None,
    events: EventSink | None = None,
    revisions: RevisionLister | None = None,
    conditions: RevisionConditionLister | None = None,
    force_delete: bool = True,
) -> dict[str, Rollout]:
    """Both strategies by name. Mirrors NewRolloutStrategy.

    ``clock`` gives the time with its zone (the system's in UTC when absent); ``events`` hears of removed pods (nobody
    when absent); ``revisions`` tells which Revisions exist (all of them when absent); ``conditions`` reads what Knative
    says of a revision (nothing when absent); ``force_delete`` False leaves pods that hang in termination alone.
    """
    clock = clock or (lambda: datetime.now(UTC))
    base = BaseScaleStep(client, spa_lister)
    up = ScaleUpStep(base, clock=clock, conditions=conditions)
    down = ScaleDownStep(
        base,
        kube_client,
        clock=clock,
        events=events or _Nobody(),
        revisions=revisions or _Unseen(),
        force_delete=force_delete,
    )
    return {AVAILABILITY_STRATEGY: Rollout((up, down)), RESOURCE_UTIL_STRATEGY: Rollout((down, up))}


class _Nobody:
    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        """Nobody listens."""


class _Unseen:
    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        return None
