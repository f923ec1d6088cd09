"""Events about ROs: the sink of a pass, on the cluster's recorder."""

from collections.abc import Callable

from webhook.api import RolloutOrchestrator
from webhook.cluster.events import Happening, reference_to
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS


class ClusterEvents:
    """``record`` takes what happened and never waits."""

    def __init__(self, record: Callable[[Happening], None]) -> None:
        self._record = record

    def emit(self, ro: RolloutOrchestrator, type_: str, reason: str, message: str) -> None:
        regarding = reference_to(ROLLOUT_ORCHESTRATORS, ro.metadata.wire)
        self._record(Happening(regarding, type_, reason, message))
