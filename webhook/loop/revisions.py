"""Revisions in the cluster: which ones exist, why one does not, and what Knative says of them."""

import logging
from typing import Final, Protocol

from webhook.api import StagePodAutoscaler
from webhook.api.conditions import READY, SCALE_TARGET_INITIALIZED, Condition
from webhook.api.kinds import SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import REVISIONS
from webhook.knative.revision import absence_of
from webhook.loop.caches import BY_SERVICE, Cache
from webhook.strategies.protocols import RevisionConditions, RevisionLister

_LOG: Final = logging.getLogger(__name__)


class Revisions(RevisionLister, Protocol):
    """Which Revisions exist, and why one does not."""

    def absence(self, namespace: str, name: str, service: str) -> str | None:
        """Why the service has no Revision of that name, as a text; None if it has one, or if that cannot be seen."""
        ...


class ClusterRevisions:
    """Revision lister of a pass. Where Revisions are not served or not synced, none counts as missing."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        if not self._cache.synced:
            return None
        found = {
            one["metadata"]["name"]: one for one in self._cache.store.by_index(BY_SERVICE, f"{namespace}/{service}")
        }
        return frozenset(name for name, one in found.items() if absence_of(one, name, service) is None)

    def absence(self, namespace: str, name: str, service: str) -> str | None:
        if not self._cache.synced:
            return None
        return absence_of(self._cache.get(namespace, name), name, service)

    def absence_in_api(self, spa: StagePodAutoscaler) -> str | None:
        """``absence`` of an SPA's Revision, read from the API since a cache may lag behind; None if that fails."""
        service = spa.metadata.labels.get(SERVICE_LABEL, "")
        try:
            return absence_of(self._client.get(REVISIONS, spa.namespace, spa.name), spa.name, service)
        except NotFound as problem:
            # A server that does not serve the resource responds with 404, but without a Status.
            return absence_of(None, spa.name, service) if problem.reason == "NotFound" else None
        except ApiError as problem:
            _LOG.info(
                "StagePodAutoscaler %s/%s is not deleted yet: %s",
                spa.namespace,
                spa.name,
                problem,
            )
            return None


class ClusterConditions:
    """Revision condition lister of a pass. An object that is not in the cache has no conditions."""

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
