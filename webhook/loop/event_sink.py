"""Events about ROs and SPAs: the sink of a pass, on the cluster's recorder."""

from collections.abc import Callable

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.cluster.events import Event, reference_to
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS


class ClusterEvents:
    """``record`` takes what happened and never waits."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record

    def emit(self, ro: RolloutOrchestrator | StagePodAutoscaler, type_: str, reason: str, message: str) -> None:
        resource = STAGE_POD_AUTOSCALERS if isinstance(ro, StagePodAutoscaler) else ROLLOUT_ORCHESTRATORS
        self._record(Event(reference_to(resource, ro.metadata.wire), type_, reason, message))
