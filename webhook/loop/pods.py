"""Pods in the cluster: which ones terminate, and the deletion of those that hang."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from webhook.api import wire
from webhook.api.kinds import REVISION_LABEL
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import PODS
from webhook.loop.caches import BY_REVISION, Cache
from webhook.strategies.protocols import TerminatingPod
from webhook.strategies.terminating_pod import counts_as_terminating, terminating_pod

_LOG: Final = logging.getLogger(__name__)


class ClusterPods:
    """Pod client of a pass. It lists pods from the API only where the cache has none to offer.

    A cache that lags behind does no harm: a pod is deleted on condition of the very version that was seen.
    """

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    def list_terminating(self, namespace: str, revision: str) -> Sequence[TerminatingPod] | None:
        if self._cache.synced:
            return _terminating(self._seen(namespace, revision))
        try:
            page = self._client.list(PODS, namespace, label_selector=f"{REVISION_LABEL}={revision}")
        except ApiError as problem:
            _LOG.warning("%s", problem)
            return None
        return _terminating(page.get("items") or [])

    def delete_now(self, pod: TerminatingPod) -> None:
        try:
            self._client.delete(
                PODS,
                pod.namespace,
                pod.name,
                uid=pod.uid,
                resource_version=pod.resource_version,
                grace_period_seconds=0,
            )
        except NotFound:
            return
        _LOG.info("removed terminating pod %s/%s", pod.namespace, pod.name)

    def count_terminating(self, namespace: str, revision: str) -> int | None:
        """The terminating pods of a revision that still run; None when pods cannot be seen."""
        if not self._cache.synced:
            return None
        return sum(map(counts_as_terminating, self._seen(namespace, revision)))

    def _seen(self, namespace: str, revision: str) -> list[wire.Wire]:
        return self._cache.store.by_index(BY_REVISION, f"{namespace}/{revision}")


def _terminating(pods: Iterable[Mapping[str, Any]]) -> list[TerminatingPod]:
    return [pod for one in pods if (pod := terminating_pod(one)) is not None]
