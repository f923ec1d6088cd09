"""The strategy in force: which word counts when annotation, RO and settings each have one."""

from webhook.api import RolloutOrchestrator
from webhook.planning.config import RolloutConfig


def strategy_in_force(ro: RolloutOrchestrator, config: RolloutConfig) -> str:
    """``availability`` or ``resourceutil``: the RO's annotation, else the strategy it states, else the configured one.

    Upstream lets the configured one win always. The word is read with blanks cut and case ignored; an unknown word is
    availability.
    """
    raise NotImplementedError
