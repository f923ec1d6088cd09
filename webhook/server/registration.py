"""The webhook configurations: which authorities the API server trusts, and whom it expects to answer."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from certs.errors import StoreConflict
from webhook.api.wire import Wire, parse_time
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError, Conflict, NotFound
from webhook.cluster.resource import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource

CONFIGURATIONS: Final = ("mutate.stagegate.dev", "validate.stagegate.dev")
FIELD_MANAGER: Final = "stagegate-certs"
"""Owns each caBundle, and nothing else in the configurations."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One configuration as read. ``bundles`` is by webhook name, empty bytes where there is none that reads.

    ``hosts`` are those that the API server asks for; ``published_at`` is when our field manager last wrote here.
    """

    resource: Resource
    name: str
    uid: str
    version: str
    bundles: Mapping[str, bytes]
    hosts: frozenset[str]
    published_at: datetime | None

    @property
    def place(self) -> str:
        return f"{self.resource.kind} {self.name}"


def read_registration(resource: Resource, configuration: Mapping[str, Any]) -> Registered:
    """What a configuration in wire form says."""
    metadata = configuration["metadata"]
    clients = {webhook["name"]: webhook.get("clientConfig") or {} for webhook in configuration.get("webhooks") or ()}
    return Registered(
        resource=resource,
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        bundles={name: _bundle(client.get("caBundle")) for name, client in clients.items()},
        hosts=frozenset(host for client in clients.values() if (host := _host(client))),
        published_at=_written_at(metadata),
    )


def bundle_patch(registered: Registered, bundle: bytes) -> Wire:
    """What is applied so that every webhook of a configuration trusts the bundle, if it is still as it was read."""
    encoded = b64encode(bundle).decode()
    webhooks = [{"name": name, "clientConfig": {"caBundle": encoded}} for name in registered.bundles]
    # Without the uid, applying to one that was deleted meanwhile would make it anew.
    metadata = {"name": registered.name, "uid": registered.uid, "resourceVersion": registered.version}
    return {"metadata": metadata, "webhooks": webhooks}


class Registration:
    """Reads and writes the configurations of these names, of both kinds; ``client`` has FIELD_MANAGER."""

    def __init__(self, client: Client, names: Iterable[str]) -> None:
        self._client = client
        self._names = tuple(names)

    def read(self) -> tuple[Registered, ...]:
        """Those that are there. Raises ApiError."""
        found = []
        for resource, name in registrations_of(self._names):
            try:
                found.append(read_registration(resource, self._client.get(resource, None, name)))
            except NotFound:
                continue
        return tuple(found)

    def publish(self, registered: Iterable[Registered], bundle: bytes) -> None:
        """Make each of them trust the bundle; one that cannot be written keeps none of the others from it.

        Raises StoreConflict when one is not any more as it was read, ApiError for what else went wrong.
        """
        problems: list[ApiError] = []
        for one in registered:
            if all(present == bundle for present in one.bundles.values()):
                continue
            try:
                self._client.apply(one.resource, None, one.name, bundle_patch(one, bundle))
            except ApiError as problem:
                problems.append(problem)
        for grave in (one for one in problems if not isinstance(one, Conflict | NotFound)):
            raise grave
        if problems:
            raise StoreConflict(f"changed by somebody else in the meantime: {problems[0]}") from problems[0]


def registrations_of(names: Iterable[str]) -> list[tuple[Resource, str]]:
    """Kind and name of each configuration: one whose name begins with the kind's own word is of that kind only."""
    return [
        (resource, name)
        for resource, word in ((MUTATING_WEBHOOKS, "mutat"), (VALIDATING_WEBHOOKS, "validat"))
        for name in names
        if name.startswith(word) or not name.startswith(("mutat", "validat"))
    ]


def _bundle(encoded: Any) -> bytes:
    try:
        return b64decode(encoded or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        return b""


def _host(client: Mapping[str, Any]) -> str | None:
    """Whom the API server asks for: a Service by its short name, or the host of a URL."""
    if service := client.get("service"):
        return f"{service['name']}.{service['namespace']}.svc"
    try:
        return urlsplit(client.get("url") or "").hostname
    except ValueError:
        return None


def _written_at(metadata: Mapping[str, Any]) -> datetime | None:
    times = [
        time
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == FIELD_MANAGER and (time := parse_time(entry.get("time") or ""))
    ]
    return max(times, default=None)
