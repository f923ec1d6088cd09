"""Leases: which loops lead in a cluster, wherever their leases are."""

from typing import TYPE_CHECKING

from webhook.cli.arguments import lease_namespace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from webhook.api.wire import Wire
    from webhook.cluster.client import Client

_NOTHING_HAPPENS = "nothing happens until a loop leads"


def leaders(client: "Client", namespace: str | None, beside: str) -> list[str]:
    """A line for each loop that leads: in ``namespace`` if it is given, else in the whole cluster.

    Where the cluster's leases may not be listed, those in ``beside`` and where a loop keeps its lease by default are
    read. Loops that share out the namespaces of a cluster have a lease each. Raises ApiError, but for a refusal.
    """
    from webhook.cluster.errors import Forbidden

    try:
        if namespace is not None:
            return _lines(_read(client, [namespace])) or [f"none in {namespace}: {_NOTHING_HAPPENS}"]
        try:
            return _lines(_list(client)) or [f"none: {_NOTHING_HAPPENS}"]
        except Forbidden:
            likely = list(dict.fromkeys((beside, lease_namespace())))
            return _lines(_read(client, likely)) or [
                f"none in {' and '.join(likely)}; --lease-namespace names another namespace to look in"
            ]
    except Forbidden as problem:
        return [f"not known: {problem}"]


def _list(client: "Client") -> "list[Wire]":
    from webhook.cluster.resource import LEASES
    from webhook.loop.process import LEASE_NAME

    found = client.list(LEASES, field_selector=f"metadata.name={LEASE_NAME}")
    return [lease for lease in found.get("items") or () if lease["metadata"]["name"] == LEASE_NAME]


def _read(client: "Client", namespaces: "Iterable[str]") -> "list[Wire]":
    from webhook.cluster.errors import NotFound
    from webhook.cluster.resource import LEASES
    from webhook.loop.process import LEASE_NAME

    found = []
    for namespace in namespaces:
        try:
            found.append(client.get(LEASES, namespace, LEASE_NAME))
        except NotFound:
            continue
    return found


def _lines(leases: "Iterable[Wire]") -> list[str]:
    lines = []
    for lease in leases:
        spec, metadata = lease.get("spec") or {}, lease["metadata"]
        if spec.get("holderIdentity"):
            where = f"{metadata['namespace']}/{metadata['name']}"
            lines.append(f"{spec['holderIdentity']}, renewed {spec.get('renewTime')} (lease {where})")
    return lines
