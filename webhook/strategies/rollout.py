"""A strategy carried out: its steps, in order."""

from collections.abc import Sequence
from datetime import UTC, datetime

from webhook.api import RolloutOrchestrator
from webhook.api.conditions import STAGE_READY
from webhook.strategies.evidence import NoConditions
from webhook.strategies.protocols import (
    EventSink,
    PodClient,
    RevisionConditionLister,
    RevisionLister,
    SPAClient,
    SPALister,
    TrafficClient,
)
from webhook.strategies.scale_step import BaseScaleStep, Clock, EnqueueAfter, Entries, RolloutStep, StepTools
from webhook.strategies.table import STRATEGIES
from webhook.strategies.traffic_step import NothingHeld


class Rollout:
    """Executes and verifies the steps of a stage. Mirrors ``Rollout``."""

    def __init__(self, rollout_steps: Sequence[RolloutStep]) -> None:
        self.rollout_steps = tuple(rollout_steps)

    def reconcile(
        self,
        ro: RolloutOrchestrator,
        rev_scaling_up: Entries,
        rev_scaling_down: Entries,
        enqueue_after: EnqueueAfter,
    ) -> bool:
        """Execute and, while the stage is in progress, verify each step; stop at the first that is not ready.

        Returns True if there is nothing to wait for: every step is ready, or the stage was not in progress, in which
        case only the first step was executed. Raises what the steps raise.
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
    traffic: TrafficClient | None = None,
    force_delete: bool = True,
) -> dict[str, Rollout]:
    """Every strategy by name, with its steps. Mirrors ``NewRolloutStrategy``.

    ``clock`` gives the time with its zone (the system's in UTC when absent); ``events`` takes an Event for each deleted
    pod (none when absent); ``revisions`` knows which Revisions exist (all of them when absent); ``conditions`` reads
    what Knative says of a revision (nothing when absent); ``traffic`` moves the traffic of held Routes (there are none
    when absent); ``force_delete`` False deletes no terminating pod.
    """
    tools = StepTools(
        BaseScaleStep(client, spa_lister),
        kube_client,
        clock=clock or (lambda: datetime.now(UTC)),
        events=events or _NoEvents(),
        revisions=revisions or _EveryRevision(),
        conditions=conditions or NoConditions(),
        traffic=traffic or NothingHeld(),
        force_delete=force_delete,
    )
    return {
        name: Rollout([step.build(tools, strategy) for step in strategy.steps]) for name, strategy in STRATEGIES.items()
    }


class _NoEvents:
    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        """Emit nothing."""


class _EveryRevision:
    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        return None
