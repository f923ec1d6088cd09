"""Events about ROs and SPAs: the Event sink of a reconcile, on the cluster's recorder."""

from collections.abc import Callable
from typing import Final

from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.cluster.errors import ApiError
from webhook.cluster.events import Event, reference_to
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

WRITE_REFUSED: Final = "WriteRefused"
"""Reason of the Event when the API server, or an admission webhook, refuses what the loop wants to store."""


class ClusterEvents:
    """``record`` takes an Event without waiting."""

    def __init__(self, record: Callable[[Event], None]) -> None:
        self._record = record

    def emit(self, ro: RolloutOrchestrator | StagePodAutoscaler, type_: str, reason: str, message: str) -> None:
        resource = STAGE_POD_AUTOSCALERS if isinstance(ro, StagePodAutoscaler) else ROLLOUT_ORCHESTRATORS
        self._record(Event(reference_to(resource, ro.metadata.wire), type_, reason, message))

    def emit_refusal(self, of: RolloutOrchestrator | StagePodAutoscaler, problem: Exception | None) -> None:
        """Emit an Event for a write that was refused; none for any other error, or None."""
        if isinstance(problem, ApiError) and problem.is_refusal:
            self.emit(of, "Warning", WRITE_REFUSED, str(problem))
