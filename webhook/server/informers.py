"""The cluster's ROs and namespaces, reflected into the cache that admission reads."""

from functools import partial
from typing import Any, Final

from webhook.admission import RolloutCache
from webhook.api.kinds import ENFORCE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Pace, Reflector
from webhook.cluster.resource import NAMESPACES, ROLLOUT_ORCHESTRATORS
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import only
from webhook.server.metrics import ServerMetrics

PACE: Final = Pace(shortest_watch=20.0, longest_watch=30.0, silence=45.0)
"""Admission fills nothing in from a cache older than a minute, so the watch is opened anew well before that."""


class ReflectedRollouts(RolloutCache):
    """The cache. Its age is the time since the API server last sent anything, None while the list is not current."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.monotonic)
        self.reflector: Reflector | None = None

    def age(self) -> float | None:
        reflector = self.reflector
        return reflector.age() if reflector is not None and reflector.synced else None


class RolloutInformers:
    """Two reflectors, each in its own thread once started. Nothing here writes to the cluster."""

    def __init__(
        self, client: Client, clock: Clock, metrics: ServerMetrics, supervisor: Supervisor | None = None
    ) -> None:
        self.rollouts = ReflectedRollouts(clock)
        self.reflectors = (
            Reflector(
                client,
                ROLLOUT_ORCHESTRATORS,
                Indexer(clock.monotonic),
                clock,
                trim=only("metadata.annotations", "spec"),
                on_change=self._on_rollout,
                on_count=partial(metrics.reflected, ROLLOUT_ORCHESTRATORS.plural),
                pace=PACE,
                supervisor=supervisor,
                required=True,
            ),
            Reflector(
                client,
                NAMESPACES,
                Indexer(clock.monotonic),
                clock,
                label_selector=ENFORCE_LABEL,
                trim=only(),
                on_change=self._on_namespace,
                on_count=partial(metrics.reflected, NAMESPACES.plural),
                pace=PACE,
                supervisor=supervisor,
            ),
        )
        self.rollouts.reflector = self.reflectors[0]

    def start(self) -> None:
        """Start to list and watch."""
        for reflector in self.reflectors:
            reflector.start()

    def stop(self) -> None:
        """Stop the watches."""
        for reflector in self.reflectors:
            reflector.stop()

    def unsynced(self) -> str:
        """What has not been read yet, with the last error; empty when everything has been.

        A resource that cannot be read any more leaves the webhook ready: otherwise an outage would refuse every write.
        """
        return "; ".join(reflector.unread() for reflector in self.reflectors if not reflector.was_synced)

    def _on_rollout(self, change: Change) -> None:
        if change.after is None:
            metadata = change.object["metadata"]
            self.rollouts.remove(metadata.get("namespace", ""), metadata["name"])
        else:
            self.rollouts.put(change.after)

    def _on_namespace(self, change: Change) -> None:
        metadata: dict[str, Any] = change.object["metadata"]
        if change.after is None:
            self.rollouts.remove_namespace(metadata["name"])
        else:
            self.rollouts.put_namespace(metadata["name"], metadata.get("labels") or {})
