"""Source: the world that the pages show, kept up to date by reflectors."""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

from webhook.api.kinds import LEASE_NAME, REVISION_LABEL, SETTINGS_NAME, SETTINGS_NAMESPACE
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import Forbidden
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    REPLICA_SETS,
    ROLLOUT_ORCHESTRATORS,
    Resource,
)
from webhook.cluster.supervisor import Supervisor
from webhook.diagnosis.world import RESOURCES, Unread, World

_OF_REVISIONS: Final = frozenset({DEPLOYMENTS, REPLICA_SETS, PODS})
"""Resources of which only what belongs to a Revision is read."""


class Source(Protocol):
    """Where the pages read. ``version`` grows with every change of what ``world`` gives."""

    def world(self, at: datetime) -> World: ...

    def version(self) -> int: ...

    def wait(self, version: int, seconds: float) -> int:
        """The version, once it is another than this one or the time is over."""
        ...

    def not_ready(self) -> str:
        """Why there is nothing to show yet, with the last error; empty once there is."""
        ...


class Informers:
    """A reflector for each resource, in one namespace or in all; nothing here writes to the cluster."""

    def __init__(
        self, client: Client, clock: Clock, *, namespace: str | None = None, supervisor: Supervisor | None = None
    ) -> None:
        self._condition = threading.Condition()
        self._version = 0
        self._reflectors: Mapping[Resource, Reflector] = {
            resource: Reflector(
                client,
                resource,
                Indexer(clock.monotonic),
                clock,
                namespace=_namespace_of(resource, namespace),
                label_selector=REVISION_LABEL if resource in _OF_REVISIONS else "",
                field_selector=_FIELDS.get(resource, ""),
                on_change=self._on_change,
                supervisor=supervisor,
            )
            for resource in RESOURCES
        }

    def start(self) -> None:
        """Start to list and watch."""
        for reflector in self._reflectors.values():
            reflector.start()

    def stop(self) -> None:
        """Stop the watches."""
        for reflector in self._reflectors.values():
            reflector.stop()

    def world(self, at: datetime) -> World:
        """What has been read so far; a resource that has not been is part of it."""
        found = {resource: reflector.store.objects() for resource, reflector in self._reflectors.items()}
        return World(found, at, tuple(_unread(self._reflectors.values())))

    def version(self) -> int:
        with self._condition:
            return self._version

    def wait(self, version: int, seconds: float) -> int:
        with self._condition:
            self._condition.wait_for(lambda: self._version != version, seconds)
            return self._version

    def not_ready(self) -> str:
        rollouts = self._reflectors[ROLLOUT_ORCHESTRATORS]
        return "" if rollouts.was_synced else rollouts.unread()

    def _on_change(self, change: Change) -> None:
        with self._condition:
            self._version += 1
            self._condition.notify_all()


_FIELDS: Final = {CONFIG_MAPS: f"metadata.name={SETTINGS_NAME}", LEASES: f"metadata.name={LEASE_NAME}"}


def _namespace_of(resource: Resource, namespace: str | None) -> str | None:
    if resource is CONFIG_MAPS:
        return SETTINGS_NAMESPACE
    return None if resource is LEASES else namespace


def _unread(reflectors: Iterable[Reflector]) -> list[Unread]:
    found = []
    for one in reflectors:
        if one.absent:
            found.append(Unread(one.resource, "not served"))
        elif not one.was_synced:
            reason = "forbidden" if isinstance(one.last_error, Forbidden) else "failed"
            found.append(Unread(one.resource, "forbidden" if reason == "forbidden" else "failed", one.unread()))
    return found
