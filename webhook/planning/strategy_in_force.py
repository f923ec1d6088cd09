"""The strategy in force: which word counts when annotation, RO and settings each have one."""

from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.api.word import word_of
from webhook.planning.config import PROGRESSIVE_ROLLOUT_STRATEGY, ROLLOUT_ANNOTATIONS, RolloutConfig

AVAILABILITY: Final = "availability"
RESOURCE_UTIL: Final = "resourceutil"
STRATEGY_ANNOTATION: Final = ROLLOUT_ANNOTATIONS + PROGRESSIVE_ROLLOUT_STRATEGY


def strategy_in_force(ro: RolloutOrchestrator, config: RolloutConfig) -> str:
    """``availability`` or ``resourceutil``: the RO's annotation, else the strategy it states, else the configured one.

    Upstream lets the configured one win always. A blank word states nothing. The word is read with blanks cut and case
    ignored; an unknown one is availability.
    """
    words = (
        str(ro.metadata.annotations.get(STRATEGY_ANNOTATION) or ""),
        ro.spec.rollout_strategy,
        config.progressive_rollout_strategy,
    )
    return normalised_strategy(next((word for word in words if word_of(word)), ""))


def normalised_strategy(word: str) -> str:
    """The strategy a word stands for."""
    return RESOURCE_UTIL if word_of(word) == RESOURCE_UTIL else AVAILABILITY
