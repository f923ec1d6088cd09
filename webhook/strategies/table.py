"""The table of strategies: each row says all in which one strategy differs from the others; and their steps, built."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.api.word import word_of
from webhook.strategies.protocols import (
    EventSink,
    PodClient,
    RevisionConditionLister,
    RevisionLister,
    SPAClient,
    SPALister,
    TrafficClient,
)
from webhook.strategies.readiness import NoConditions
from webhook.strategies.rollout import BaseScaleStep, Clock, NothingHeld, Rollout, StageStep, StepTools
from webhook.strategies.scale_down import ScaleDownStep
from webhook.strategies.scale_up import ScaleUpStep
from webhook.strategies.traffic_step import TrafficStep

AVAILABILITY_STRATEGY: Final = "availability"
"""Up, then down: replicas are doubled for a while, capacity never drops. Traffic moves before what it leaves goes."""
RESOURCE_UTIL_STRATEGY: Final = "resourceutil"
"""Down, then up: capacity drops for a while, replicas are never doubled."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A row of the table; ``steps`` are in the order in which a stage takes them.

    With ``holds_at_zero`` the SPA of a revision that goes up is created with the bounds 0/0, so that it runs nothing
    until its step. With ``force_deletes_pods`` terminating pods are deleted at once while a revision is held; without
    it, only those past their deletion time are.
    """

    name: str
    steps: tuple[type[StageStep], ...]
    holds_at_zero: bool
    force_deletes_pods: bool

    @property
    def goes_up_first(self) -> bool:
        """True if nothing is lowered before what goes up is ready."""
        return self.steps[0] is ScaleUpStep


STRATEGIES: Final[Mapping[str, Strategy]] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            Strategy(
                AVAILABILITY_STRATEGY,
                steps=(ScaleUpStep, TrafficStep, ScaleDownStep),
                holds_at_zero=False,
                force_deletes_pods=False,
            ),
            Strategy(
                RESOURCE_UTIL_STRATEGY,
                steps=(ScaleDownStep, ScaleUpStep, TrafficStep),
                holds_at_zero=True,
                force_deletes_pods=True,
            ),
        )
    }
)
"""Every strategy by name. Planning, admission, the policies' test and the demo read the names and columns here."""

DEFAULT_STRATEGY: Final = AVAILABILITY_STRATEGY


def normalise_strategy(spelling: str) -> str:
    """The name of the strategy for a spelling: trimmed, case ignored; the default for an unknown or blank one.

    Upstream keeps blanks, and forces deletions only under the literal ``resourceutil``.
    """
    word = word_of(spelling)
    return word if word in STRATEGIES else DEFAULT_STRATEGY


def strategy_named(spelling: str) -> Strategy:
    """The row of the table for a spelling, as ``normalise_strategy`` reads it."""
    return STRATEGIES[normalise_strategy(spelling)]


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
    pod (none when absent); ``revisions`` says which Revisions exist (all of them when absent); ``conditions`` reads
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
