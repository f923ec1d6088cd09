"""The strategy in force, out of the annotation, the RO and the settings."""

from typing import Final

from webhook.api import RolloutOrchestrator
from webhook.api.word import word_of
from webhook.planning.config import PROGRESSIVE_ROLLOUT_STRATEGY, ROLLOUT_ANNOTATIONS, RolloutConfig
from webhook.strategies.table import normalise_strategy

STRATEGY_ANNOTATION: Final = ROLLOUT_ANNOTATIONS + PROGRESSIVE_ROLLOUT_STRATEGY


def strategy_in_force(ro: RolloutOrchestrator, config: RolloutConfig) -> str:
    """The name of the strategy: from the RO's annotation, else its spec, else the settings; blank values are skipped.

    Upstream always takes that of the settings. The value is read by ``normalise_strategy``.
    """
    words = (
        str(ro.metadata.annotations.get(STRATEGY_ANNOTATION) or ""),
        ro.spec.rollout_strategy,
        config.progressive_rollout_strategy,
    )
    return normalise_strategy(next((word for word in words if word_of(word)), ""))
