"""Reading: the world of one rollout, of a namespace or of all, through a small client that is passed in."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from webhook.api.kinds import (
    LEASE_NAME,
    LEASE_NAMESPACE,
    REVISION_LABEL,
    SERVICE_LABEL,
    SETTINGS_NAME,
    SETTINGS_NAMESPACE,
    is_label_value,
)
from webhook.api.wire import Wire
from webhook.cluster.errors import Forbidden, Gone, NotFound
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    LEASES,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    Resource,
)
from webhook.diagnosis.installed_in import MOST_NAMESPACES, registered_in
from webhook.diagnosis.world import LOOP_LABEL, LOOP_NAME, RESOURCES, Unread, World, world_of

_PAGE: Final = 500
_MOST_PAGES: Final = 200
"""100,000 objects of one resource; what comes after is not read, and the world says so."""

_LABELLED: Final = frozenset({REVISIONS, DEPLOYMENTS, REPLICA_SETS, PODS})
"""Resources whose objects carry the label of their Knative Service, put there by Knative itself."""
_NAMED: Final = frozenset({ROLLOUT_ORCHESTRATORS, KNATIVE_SERVICES, ROUTES})
"""Resources whose object has the name of the rollout."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a resource that bear on what is read: all of a namespace, those with labels, or one by name."""

    namespace: str | None
    labels: str = ""
    name: str = ""


def selection(resource: Resource, namespace: str | None, name: str = "", selector: str = "") -> Selection:
    """What of a resource bears on the rollouts of a namespace, None for all, or on one by name."""
    if resource is CONFIG_MAPS:
        return Selection(SETTINGS_NAMESPACE, name=SETTINGS_NAME)
    if resource is LEASES:
        return Selection(None, name=LEASE_NAME)
    if name and resource in _NAMED:
        return Selection(namespace, name=name)
    if name and resource in _LABELLED and is_label_value(name):
        return Selection(namespace, f"{SERVICE_LABEL}={name}")
    if resource in _LABELLED and resource is not REVISIONS:
        return Selection(namespace, REVISION_LABEL)
    return Selection(namespace, selector if resource is ROLLOUT_ORCHESTRATORS else "")


class Reader(Protocol):
    """Reads objects; both methods raise ApiError. ``webhook.cluster.client.Client`` is one."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> Wire: ...

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Wire: ...


def read_world(
    reader: Reader,
    namespace: str | None,
    at: datetime,
    *,
    name: str = "",
    selector: str = "",
    resources: Collection[Resource] = RESOURCES,
) -> World:
    """Read what bears on the rollouts of a namespace, None for all, or on one rollout by name.

    ``selector`` is one of labels of ROs. Deployments of loops are read where the registered Service is and where a
    loop has a Lease. A resource that the caller may not read, or that the cluster does not serve, is part of the world.
    Raises ApiError where no request succeeds, and where the ROs cannot be read; a name without an RO gives a world
    without it.
    """
    found: list[tuple[Resource, Wire]] = []
    unread: list[Unread] = []
    registered = ""
    for resource in resources:
        if resource is LEASES:
            registered = registered_in(reader)
        lease_namespace = registered or LEASE_NAMESPACE
        try:
            found += [(resource, one) for one in _read(reader, resource, namespace, name, selector, lease_namespace)]
        except Forbidden as problem:
            if resource is ROLLOUT_ORCHESTRATORS:
                raise
            unread.append(Unread(resource, "forbidden", problem.message))
        except NotFound as problem:
            if resource is ROLLOUT_ORCHESTRATORS:
                raise
            unread.append(Unread(resource, "not served", problem.message))
        except _Incomplete as problem:
            found += [(resource, one) for one in problem.objects]
            unread.append(Unread(resource, "failed", f"only the first {len(problem.objects)} were read"))
    leases = [key_of(one)[0] for resource, one in found if resource is LEASES]
    homes = list(dict.fromkeys(filter(None, (registered, *leases)))) or [LEASE_NAMESPACE]
    if LEASES in resources:
        loops, refused = _loops(reader, homes[:MOST_NAMESPACES])
        found += [(DEPLOYMENTS, one) for one in loops]
        unread += refused
    return world_of(found, at, unread, installed_in=homes[0])


class _Incomplete(Exception):
    def __init__(self, objects: list[Wire]) -> None:
        super().__init__()
        self.objects = objects


def _read(
    reader: Reader, resource: Resource, namespace: str | None, name: str, selector: str, lease_namespace: str
) -> list[Wire]:
    if resource is LEASES:
        return _leases(reader, lease_namespace)
    chosen = selection(resource, namespace, name, selector)
    if chosen.name:
        return _named(reader, resource, chosen.namespace, chosen.name)
    try:
        return list(_listed(reader, resource, chosen.namespace, chosen.labels, _PAGE))
    except Gone:
        # The version expired while the pages were read, so read the list in one piece.
        return list(_listed(reader, resource, chosen.namespace, chosen.labels, 0))


def _listed(reader: Reader, resource: Resource, namespace: str | None, selector: str, limit: int) -> Iterator[Wire]:
    found: list[Wire] = []
    token = ""
    for _ in range(_MOST_PAGES):
        page = reader.list(resource, namespace, label_selector=selector, limit=limit, continue_token=token)
        found += page.get("items") or []
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            yield from found
            return
    raise _Incomplete(found)


def _named(reader: Reader, resource: Resource, namespace: str | None, name: str) -> list[Wire]:
    try:
        return [reader.get(resource, namespace, name)]
    except NotFound as problem:
        # A server that does not serve the resource responds with 404, but without a Status.
        if problem.reason == "NotFound":
            return []
        raise


def _leases(reader: Reader, namespace: str) -> list[Wire]:
    """The Leases of loops: in the whole cluster, else in this namespace. Raises Forbidden if none can be read."""
    try:
        listed = reader.list(LEASES, field_selector=f"metadata.name={LEASE_NAME}").get("items") or []
        return [one for one in listed if one["metadata"]["name"] == LEASE_NAME]
    except Forbidden:
        return _named(reader, LEASES, namespace, LEASE_NAME)


def _loops(reader: Reader, namespaces: Iterable[str]) -> tuple[list[Wire], list[Unread]]:
    """The Deployments of loops in these namespaces."""
    found: list[Wire] = []
    refused: list[Unread] = []
    for namespace in namespaces:
        try:
            page = reader.list(DEPLOYMENTS, namespace, label_selector=f"{LOOP_LABEL}={LOOP_NAME}")
            found += page.get("items") or []
        except (Forbidden, NotFound) as problem:
            refused.append(Unread(DEPLOYMENTS, "forbidden", problem.message, namespace))
    return found, refused
