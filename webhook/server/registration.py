"""The webhook configurations: which authorities the API server trusts, and whom it expects to answer."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from webhook.api.wire import Wire, parse_time
from webhook.cluster.client import Client
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource

FIELD_MANAGER: Final = "stagegate-certs"
"""Owns each caBundle, and nothing else in the configurations."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One configuration as read. ``bundles`` is by webhook name, empty bytes where there is none."""

    resource: Resource
    name: str
    uid: str
    bundles: Mapping[str, bytes]
    hosts: frozenset[str]
    published_at: datetime | None


def read_registration(resource: Resource, configuration: Mapping[str, Any]) -> Registered:
    """What a configuration in wire form says; ``published_at`` is when our field manager last wrote it."""
    metadata = configuration["metadata"]
    bundles: dict[str, bytes] = {}
    hosts: set[str] = set()
    for webhook in configuration.get("webhooks") or ():
        client = webhook.get("clientConfig") or {}
        bundles[webhook["name"]] = b64decode(client.get("caBundle") or "")
        if service := client.get("service"):
            hosts.add(f"{service['name']}.{service['namespace']}.svc")
        elif host := urlsplit(client.get("url") or "").hostname:
            hosts.add(host)
    return Registered(resource, metadata["name"], metadata["uid"], bundles, frozenset(hosts), _written_at(metadata))


def bundle_patch(registered: Registered, bundle: bytes) -> Wire:
    """What is applied so that every webhook of a configuration trusts the bundle; the uid keeps it from being made."""
    encoded = b64encode(bundle).decode()
    webhooks = [{"name": name, "clientConfig": {"caBundle": encoded}} for name in registered.bundles]
    return {"metadata": {"name": registered.name, "uid": registered.uid}, "webhooks": webhooks}


class Registration:
    """Reads and writes the configurations of these names, of both kinds; ``client`` has FIELD_MANAGER."""

    def __init__(self, client: Client, names: Iterable[str]) -> None:
        self._client = client
        self._names = tuple(names)

    def read(self) -> list[Registered]:
        """Those that are there. Raises ApiError."""
        found = []
        for resource, name in registrations_of(self._names):
            try:
                found.append(read_registration(resource, self._client.get(resource, None, name)))
            except NotFound:
                continue
        return found

    def publish(self, bundle: bytes) -> None:
        """Make each of them trust the bundle. Raises ApiError."""
        for registered in self.read():
            if any(present != bundle for present in registered.bundles.values()):
                self._client.apply(registered.resource, None, registered.name, bundle_patch(registered, bundle))


def registrations_of(names: Iterable[str]) -> list[tuple[Resource, str]]:
    """Kind and name of each configuration: one whose name begins with the kind's own word is of that kind only."""
    return [
        (resource, name)
        for resource, word in ((MUTATING_WEBHOOKS, "mutat"), (VALIDATING_WEBHOOKS, "validat"))
        for name in names
        if name.startswith(word) or not name.startswith(("mutat", "validat"))
    ]


def _written_at(metadata: Mapping[str, Any]) -> datetime | None:
    times = [
        time
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == FIELD_MANAGER and (time := parse_time(entry.get("time") or ""))
    ]
    return max(times, default=None)
