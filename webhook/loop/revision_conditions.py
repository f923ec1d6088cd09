"""Conditions of revisions in the cluster: what PodAutoscalers and Revisions say, from the caches."""

from webhook.api.conditions import READY, Condition
from webhook.api.wire import Wire
from webhook.loop.caches import SCALE_TARGET_INITIALIZED, Cache
from webhook.strategies import RevisionConditions


class ClusterConditions:
    """Revision condition lister of a pass. An object that is not seen says nothing."""

    def __init__(self, pod_autoscalers: Cache, revisions: Cache) -> None:
        self._pod_autoscalers = pod_autoscalers
        self._revisions = revisions

    def conditions(self, namespace: str, revision: str) -> RevisionConditions:
        autoscaler = self._pod_autoscalers.get(namespace, revision)
        return RevisionConditions(
            scale_target_initialized=_condition(autoscaler, SCALE_TARGET_INITIALIZED),
            pod_autoscaler_ready=_condition(autoscaler, READY),
            revision_ready=_condition(self._revisions.get(namespace, revision), READY),
        )


def _condition(one: Wire | None, type_: str) -> Condition | None:
    listed = ((one or {}).get("status") or {}).get("conditions") or ()
    return next((Condition.from_dict(wire) for wire in listed if wire.get("type") == type_), None)
