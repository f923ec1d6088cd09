"""Manifests: where they lie, how they are read, and how they are put into a cluster."""

import base64
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from sandbox.demo.removal import Key, remove
from sandbox.sandbox import MANIFESTS
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import Conflict, Forbidden, NotFound, Unavailable
from webhook.cluster.resource import Resource

SAMPLES: Final = MANIFESTS / "samples"

_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_CRDS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
_INSTALLED: Final = {
    resource.kind: resource
    for resource in (
        Resource("", "v1", "namespaces", "Namespace", namespaced=False),
        Resource("", "v1", "serviceaccounts", "ServiceAccount"),
        _CRDS,
        Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
        Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
        Resource(_RBAC, "v1", "roles", "Role"),
        Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
        Resource(_ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False),
        Resource(
            _ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False
        ),
        Resource(_ADMISSION, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False),
        Resource(
            _ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False
        ),
    )
}
"""The kinds that the demo puts into a cluster; what runs in pods runs here as processes."""

_PATIENCE_SECONDS: Final = 15.0


def documents(*folders: Path) -> Iterator[Wire]:
    """Every object in the YAML files right inside these folders, in order of file names."""
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            if path.name != "kustomization.yaml":
                yield from (found for found in yaml.safe_load_all(path.read_text()) if found)


def sample(name: str) -> Wire:
    """One of ``manifests/samples``."""
    (found,) = yaml.safe_load_all((SAMPLES / f"{name}.yaml").read_text())
    read: Wire = found
    return read


def at_url(configuration: Wire, url: str, authority: bytes) -> Wire:
    """A webhook configuration that calls ``url``, a server with a certificate of ``authority`` (PEM), not a Service."""
    bundle = base64.b64encode(authority).decode()
    hooks = [
        hook | {"clientConfig": {"url": url + hook["clientConfig"]["service"]["path"], "caBundle": bundle}}
        for hook in configuration["webhooks"]
    ]
    return configuration | {"webhooks": hooks}


class Installation:
    """Puts objects into a cluster, in the order given, and takes them out again in the opposite one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._installed: list[Key] = []

    def apply(self, objects: Iterable[Wire]) -> None:
        """Apply those whose kind is put in and which the server serves; waits until CRDs are served."""
        for wire in objects:
            resource = _INSTALLED.get(wire["kind"])
            if resource is None or not self._is_served(resource):
                continue
            metadata = wire["metadata"]
            key = Key(resource, metadata.get("namespace"), metadata["name"])
            self._patiently(partial(self._client.apply, key.resource, key.namespace, key.name, wire))
            self._installed.append(key)
            if resource is _CRDS:
                self._wait_for_crd(wire)

    def remove(self) -> None:
        """Delete what was applied, and wait until it is gone. Raises CommandError."""
        installed, self._installed = self._installed, []
        remove(self._client, reversed(installed))

    def _is_served(self, resource: Resource) -> bool:
        try:
            served = self._client.get_path(resource.group_path)
        except NotFound:
            return False
        return any(entry["name"] == resource.plural for entry in served["resources"])

    def _wait_for_crd(self, crd: Wire) -> None:
        spec = crd["spec"]
        version = spec["versions"][0]["name"]
        resource = Resource(spec["group"], version, spec["names"]["plural"], spec["names"]["kind"])
        self._patiently(partial(self._client.list, resource, limit=1))

    def _patiently(self, call: Callable[[], object]) -> None:
        """A server that has just registered a kind or a role needs a moment."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                call()
                return
            except (NotFound, Unavailable, Forbidden, Conflict):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
