"""The options of a loop."""

from dataclasses import dataclass, field

from webhook.api.kinds import SETTINGS_NAMESPACE
from webhook.knative.service_seen import ServiceOptions
from webhook.loop.spa_cleanup import GRACE


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """``namespaces`` empty means all; ``resync`` is in seconds, 0 for never; ``steps`` False only defaults SPAs.

    ``spa_grace``, in seconds, is how long an SPA without a Revision is spared. ``stock_knative`` False leaves Knative
    Services alone; ``services`` are the options of those it does not.
    """

    namespaces: tuple[str, ...] = ()
    concurrency: int = 16
    resync: float = 600.0
    steps: bool = True
    force_delete: bool = True
    settings_namespace: str = SETTINGS_NAMESPACE
    spa_grace: float = GRACE.total_seconds()
    stock_knative: bool = True
    services: ServiceOptions = field(default_factory=ServiceOptions)
