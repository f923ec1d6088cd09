"""CA injection: caBundle in the webhook configurations, which says whose certificates the API servers trust."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from certs.errors import ClusterError, Conflict, NotFound, StoreConflict
from certs.protocols import Cluster, Kind, Wire

CONFIGURATIONS: Final = ("mutate.stagegate.dev", "validate.stagegate.dev", "mutate.knative.stagegate.dev")
FIELD_MANAGER: Final = "stagegate-certs"
"""Owns each caBundle, and nothing else in the configurations."""


@dataclass(frozen=True, slots=True)
class WebhookConfiguration:
    """One configuration as read. ``bundles`` maps webhook names to PEM, empty bytes where caBundle is not readable.

    ``hosts`` are those that the API server connects to; ``published_at`` is when our field manager last wrote here.
    """

    kind: Kind
    name: str
    uid: str
    version: str
    bundles: Mapping[str, bytes]
    hosts: frozenset[str]
    published_at: datetime | None

    @property
    def place(self) -> str:
        """The name for messages."""
        return f"{self.kind} {self.name}"


def read_configuration(kind: Kind, configuration: Mapping[str, Any]) -> WebhookConfiguration:
    """A configuration in wire form, read."""
    metadata = configuration["metadata"]
    clients = {webhook["name"]: webhook.get("clientConfig") or {} for webhook in configuration.get("webhooks") or ()}
    return WebhookConfiguration(
        kind=kind,
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        bundles={name: _bundle(client.get("caBundle")) for name, client in clients.items()},
        hosts=frozenset(host for client in clients.values() if (host := _host(client))),
        published_at=_written_at(metadata),
    )


def bundle_patch(configuration: WebhookConfiguration, bundle: bytes) -> Wire:
    """What to apply so that every webhook of a configuration trusts the bundle, if it has not changed since."""
    encoded = b64encode(bundle).decode()
    webhooks = [{"name": name, "clientConfig": {"caBundle": encoded}} for name in configuration.bundles]
    # Without the uid, applying to a configuration that was deleted since would create it anew.
    metadata = {"name": configuration.name, "uid": configuration.uid, "resourceVersion": configuration.version}
    return {"metadata": metadata, "webhooks": webhooks}


class CaInjector:
    """Reads and writes the configurations of these names, of both kinds; ``cluster`` writes as FIELD_MANAGER."""

    def __init__(self, cluster: Cluster, names: Iterable[str]) -> None:
        self._cluster = cluster
        self._names = tuple(names)

    def read(self) -> tuple[WebhookConfiguration, ...]:
        """Those that exist. Raises ClusterError."""
        found = []
        for kind, name in configurations_of(self._names):
            configuration = self._cluster.get(kind, None, name)
            if configuration is not None:
                found.append(read_configuration(kind, configuration))
        return tuple(found)

    def inject(self, configurations: Iterable[WebhookConfiguration], bundle: bytes) -> None:
        """Make each of them trust the bundle; one that cannot be written does not keep the others from being written.

        Raises StoreConflict when one has changed since it was read, ClusterError for any other failure.
        """
        problems: list[ClusterError] = []
        for one in configurations:
            if all(present == bundle for present in one.bundles.values()):
                continue
            try:
                self._cluster.apply(one.kind, None, one.name, bundle_patch(one, bundle))
            except ClusterError as problem:
                problems.append(problem)
        for grave in (one for one in problems if not isinstance(one, Conflict | NotFound)):
            raise grave
        if problems:
            raise StoreConflict(f"changed by somebody else in the meantime: {problems[0]}") from problems[0]


def configurations_of(names: Iterable[str]) -> list[tuple[Kind, str]]:
    """Kind and name of each configuration; a name with the prefix of a kind is of that kind only."""
    kinds: tuple[tuple[Kind, str], ...] = (
        ("MutatingWebhookConfiguration", "mutat"),
        ("ValidatingWebhookConfiguration", "validat"),
    )
    return [
        (kind, name)
        for kind, word in kinds
        for name in names
        if name.startswith(word) or not name.startswith(("mutat", "validat"))
    ]


def bundles_of(configurations: Iterable[WebhookConfiguration]) -> tuple[bytes, ...]:
    """The caBundle of each webhook of each configuration."""
    return tuple(bundle for one in configurations for bundle in one.bundles.values())


def places_of(configurations: Iterable[WebhookConfiguration]) -> tuple[str, ...]:
    """What a message calls the place of each of these bundles, in the same order."""
    return tuple(
        one.place if len(one.bundles) == 1 else f"{one.place}, {name}" for one in configurations for name in one.bundles
    )


def _bundle(encoded: Any) -> bytes:
    try:
        return b64decode(encoded or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        return b""


def _host(client: Mapping[str, Any]) -> str | None:
    """The host that the API server connects to: that of a Service in its short form, or that of a URL."""
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
        if entry.get("manager") == FIELD_MANAGER and (time := _read_time(entry.get("time")))
    ]
    return max(times, default=None)


def _read_time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else None
