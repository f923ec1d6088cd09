"""The cluster's ROs and namespaces, reflected into the cache that admission looks things up in."""

from typing import Any, Final

from webhook.admission import RolloutCache
from webhook.api.kinds import ENFORCE_LABEL
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.reflector import Pace, Reflector
from webhook.cluster.resource import NAMESPACES, ROLLOUT_ORCHESTRATORS
from webhook.cluster.store import Change, Store
from webhook.cluster.trim import only
from webhook.server.tally import Tally

PACE: Final = Pace(shortest_watch=20.0, longest_watch=30.0, silence=45.0)
"""Admission fills nothing in from a cache older than a minute, so the watch is opened anew well before that."""


class ReflectedRollouts(RolloutCache):
    """The cache, as old as the last word of the API server; a list that was lost makes it ageless, that is: unknown."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.monotonic)
        self.reflector: Reflector | None = None

    def age(self) -> float | None:
        reflector = self.reflector
        return reflector.age() if reflector is not None and reflector.synced else None


class ClusterFeed:
    """Two reflectors, each in its own thread once started. Nothing here writes to the cluster."""

    def __init__(self, client: Client, clock: Clock, tally: Tally) -> None:
        self.rollouts = ReflectedRollouts(clock)
        self.reflectors = (
            Reflector(
                client,
                ROLLOUT_ORCHESTRATORS,
                Store(clock.monotonic),
                clock,
                trim=only("metadata.annotations", "spec"),
                on_change=self._on_rollout,
                tally=_counter(tally, ROLLOUT_ORCHESTRATORS.plural),
                pace=PACE,
            ),
            Reflector(
                client,
                NAMESPACES,
                Store(clock.monotonic),
                clock,
                label_selector=ENFORCE_LABEL,
                trim=only(),
                on_change=self._on_namespace,
                tally=_counter(tally, NAMESPACES.plural),
                pace=PACE,
            ),
        )
        self.rollouts.reflector = self.reflectors[0]

    def start(self) -> None:
        """Begin to list and watch."""
        for reflector in self.reflectors:
            reflector.start()

    def stop(self) -> None:
        """Give the watches up."""
        for reflector in self.reflectors:
            reflector.stop()

    def unsynced(self) -> str:
        """What has not been read yet, and why as far as it is known; empty when all has."""
        return "; ".join(
            f"{reflector.resource.full_name} not read yet{f': {reflector.trouble}' if reflector.trouble else ''}"
            for reflector in self.reflectors
            if not reflector.synced
        )

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


def _counter(tally: Tally, plural: str) -> Any:
    for what in ("list", "watch", "event", "bookmark", "gone", "silence", "error"):
        tally.reflected[plural, what] = 0

    def count(what: str) -> None:
        tally.reflected[plural, what] += 1

    return count
