"""Upstream's controllers in the cluster, by their Leases: where they run, Services are theirs."""

import logging
from threading import Lock
from typing import Final

from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import LEASES
from webhook.knative.upstream_lease import is_held_by_upstream

_LOG: Final = logging.getLogger(__name__)

_VALID_FOR: Final = 300.0
"""Seconds after which the Leases are read again."""


class UpstreamControllers:
    """Reads the Leases of Knative's namespace when it is asked, and at most every five minutes."""

    def __init__(self, client: Client, namespace: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._lock = Lock()
        self._read_at: float | None = None
        self._found = ""

    def running(self) -> str:
        """Who they are, with a Lease; empty if none runs, or if Leases cannot be read."""
        with self._lock:
            now = self._clock.monotonic()
            if self._read_at is None or now - self._read_at > _VALID_FOR:
                self._read_at = now
                self._found = self._look()
            return self._found

    def _look(self) -> str:
        try:
            leases = self._client.list(LEASES, self._namespace).get("items") or ()
        except ApiError as problem:
            _LOG.info("cannot see whether upstream's controllers run: %s", problem)
            return ""
        names = (one["metadata"]["name"] for one in leases if is_held_by_upstream(one, self._clock.now()))
        found = min(names, default="")
        return f"upstream's controllers (Lease {self._namespace}/{found})" if found else ""
