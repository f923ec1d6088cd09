"""Leases: which loops lead in a cluster."""

from typing import TYPE_CHECKING, Final

from webhook.api.kinds import LEASE_NAME
from webhook.cli.arguments import pod_namespace

if TYPE_CHECKING:
    from webhook.api.wire import Wire
    from webhook.cluster.client import Client

_NOTHING_HAPPENS: Final = "nothing happens until a loop leads"


def leaders(client: "Client", namespace: str | None, beside: str) -> list[str]:
    """A line for each loop that leads: in ``namespace`` if it is given, else in the whole cluster.

    Where the cluster's leases may not be listed, those in ``beside`` and where Stagegate is installed are read. Loops
    that share out the namespaces of a cluster have a lease each. Raises ApiError, but for a refusal.
    """
    from webhook.cluster.errors import Forbidden
    from webhook.diagnosis.installed_in import installed_in

    if namespace is not None:
        return _read(client, [namespace]) or [f"none in {namespace}: {_NOTHING_HAPPENS}"]
    try:
        return _list(client) or [f"none: {_NOTHING_HAPPENS}"]
    except Forbidden:
        likely = list(dict.fromkeys((beside, installed_in(client, pod_namespace()))))
        return _read(client, likely) or [
            f"none in {' and '.join(likely)}; --lease-namespace names another namespace to look in"
        ]


def _list(client: "Client") -> list[str]:
    from webhook.cluster.resource import LEASES

    found = client.list(LEASES, field_selector=f"metadata.name={LEASE_NAME}").get("items") or ()
    return [line for lease in found if lease["metadata"]["name"] == LEASE_NAME for line in _lines(lease)]


def _read(client: "Client", namespaces: list[str]) -> list[str]:
    """The leaders in these namespaces; without any, the refusals that may be the cause."""
    from webhook.cluster.errors import Forbidden, NotFound
    from webhook.cluster.resource import LEASES

    lines, refusals = [], []
    for namespace in namespaces:
        try:
            lines += _lines(client.get(LEASES, namespace, LEASE_NAME))
        except NotFound:
            continue
        except Forbidden as problem:
            refusals.append(f"not known: {problem}")
    return lines or refusals


def _lines(lease: "Wire") -> list[str]:
    """The line of the lease's holder; none if it was released."""
    spec, metadata = lease.get("spec") or {}, lease["metadata"]
    if not spec.get("holderIdentity"):
        return []
    where = f"{metadata['namespace']}/{metadata['name']}"
    return [f"{spec['holderIdentity']}, renewed {spec.get('renewTime')} (lease {where})"]
