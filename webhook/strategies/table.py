"""The table of strategies: each row says all in which one strategy differs from the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from webhook.api.conditions import STAGE_SCALE_UP_READY
from webhook.api.word import word_of
from webhook.strategies.scale_down import ScaleDownStep
from webhook.strategies.scale_up import ScaleUpStep
from webhook.strategies.traffic_step import TrafficStep

AVAILABILITY_STRATEGY: Final = "availability"
"""Up, then down: replicas are doubled for a while, capacity never drops. Traffic moves before what it leaves goes."""
RESOURCE_UTIL_STRATEGY: Final = "resourceutil"
"""Down, then up: capacity drops for a while, replicas are never doubled."""

StepType = type[ScaleUpStep] | type[TrafficStep] | type[ScaleDownStep]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A row of the table; ``steps`` are in the order in which a stage takes them.

    With ``holds_at_zero`` the SPA of a revision that goes up is created with the bounds 0/0, so that it runs nothing
    until its step. With ``force_deletes_pods`` terminating pods are deleted at once while a revision is held; without
    it, only those past their deletion time are.
    """

    name: str
    steps: tuple[StepType, ...]
    holds_at_zero: bool
    force_deletes_pods: bool

    @property
    def goes_up_first(self) -> bool:
        """True if nothing is lowered before what goes up is ready."""
        return self.steps[0].condition == STAGE_SCALE_UP_READY


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
