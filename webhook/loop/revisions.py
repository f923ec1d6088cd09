"""Revisions in the cluster: which ones exist, and which are surely gone."""

import logging
from typing import Final

from webhook.api import StagePodAutoscaler
from webhook.api.kinds import CONFIGURATION_LABEL, SERVICE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import REVISIONS
from webhook.loop.caches import BY_SERVICE, Cache

_LOG: Final = logging.getLogger(__name__)


class ClusterRevisions:
    """Revision lister of a pass. A cluster that serves no Revisions, or does not show them, shows none as missing."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    def names(self, namespace: str, service: str) -> frozenset[str] | None:
        if not self._cache.synced:
            return None
        found = self._cache.store.by_index(BY_SERVICE, f"{namespace}/{service}")
        return frozenset(
            one["metadata"]["name"]
            for one in found
            if (one["metadata"].get("labels") or {}).get(CONFIGURATION_LABEL) == service
        )

    def is_orphan(self, spa: StagePodAutoscaler) -> bool:
        """Whether the API says that this service has no Revision of the SPA's name; a cache may lag behind."""
        service = spa.metadata.labels.get(SERVICE_LABEL)
        try:
            labels = self._client.get(REVISIONS, spa.namespace, spa.name).get("metadata", {}).get("labels") or {}
        except NotFound as problem:
            # A server that does not serve the resource says so without a Status.
            return problem.reason == "NotFound"
        except ApiError as problem:
            _LOG.info("StagePodAutoscaler %s/%s stays: %s", spa.namespace, spa.name, problem)
            return False
        return (labels.get(SERVICE_LABEL), labels.get(CONFIGURATION_LABEL)) != (service, service)
