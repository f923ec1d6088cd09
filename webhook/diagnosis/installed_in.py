"""Installed in: the namespace of Stagegate in a cluster, as its registration states it."""

from typing import Any, Final, Protocol

from webhook.api.kinds import LEASE_NAMESPACE
from webhook.api.wire import Wire
from webhook.cluster.errors import Forbidden, NotFound
from webhook.cluster.resource import VALIDATING_WEBHOOKS, Resource
from webhook.diagnosis.doctor.registration import VALIDATING

MOST_NAMESPACES: Final = 8
"""Namespaces in which loops are looked for. Everybody who may create a Lease in a namespace could name another one."""


class Getter(Protocol):
    """Reads one object, or raises ApiError. ``webhook.cluster.client.Client`` is one."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> Wire: ...


def installed_in(reader: Getter, given: str = "") -> str:
    """The namespace that is given, else the registered one, else that of the manifests. Raises ApiError."""
    return given or registered_in(reader) or LEASE_NAMESPACE


def registered_in(reader: Getter) -> str:
    """The namespace of the Service that the API server calls; empty if the registration is missing or may not be read.

    Raises ApiError.
    """
    try:
        return service_namespace(reader.get(VALIDATING_WEBHOOKS, None, VALIDATING))
    except (Forbidden, NotFound):
        return ""


def service_namespace(registration: Wire) -> str:
    """The namespace of the Service in a webhook configuration; empty if it names none, as with a ``url``."""
    for webhook in registration.get("webhooks") or ():
        service: dict[str, Any] = (webhook.get("clientConfig") or {}).get("service") or {}
        if service.get("namespace"):
            return str(service["namespace"])
    return ""
