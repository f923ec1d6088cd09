"""What Knative makes for a service, made by hand: Revisions, their PodAutoscalers, and the node their pods run on."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from sandbox.demo.removal import Key, remove
from sandbox.workloads import CLASS, CLASS_ANNOTATION, DEMAND_ANNOTATION, NODE
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import AlreadyExists, NotFound
from webhook.cluster.resource import (
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

_NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
_CONTAINER: Final = {"name": "user-container", "image": "sandbox.invalid/simulated"}


class Knative:
    """Stands in for Knative in one namespace, for one service whose traffic needs ``demand`` replicas."""

    def __init__(self, client: Client, namespace: str, service: str, demand: int) -> None:
        self._client = client
        self._namespace = namespace
        self._service = service
        self._demand = demand

    def make_node(self) -> None:
        """The node of the simulated pods, where the server serves nodes: a real cluster deletes pods without one."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        # Nothing else may be put there.
        node["spec"] = {"unschedulable": True, "taints": [{"key": NODE, "effect": "NoExecute"}]}
        with suppress(AlreadyExists, NotFound):
            self._client.create(_NODES, None, node)

    def remove_node(self) -> None:
        remove(self._client, [Key(_NODES, None, NODE)])

    def make_revision(self, entry: Mapping[str, Any]) -> None:
        """The Revision of an entry of an RO; harmless when it exists."""
        labels = {SERVICE_LABEL: self._service, CONFIGURATION_LABEL: self._service}
        self._create(REVISIONS, entry, labels, {"spec": {"containers": [_CONTAINER]}}, {})

    def make_pod_autoscaler(self, entry: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> None:
        """The PodAutoscaler of an entry of an RO, with these annotations too; harmless when it exists."""
        labels = {SERVICE_LABEL: self._service, REVISION_LABEL: entry["revisionName"]}
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{entry['revisionName']}-deployment"}
        rest = {"spec": {"scaleTargetRef": target, "protocolType": "http1"}}
        self._create(POD_AUTOSCALERS, entry, labels, rest, annotations or {})

    def remove_all(self) -> None:
        """Everything of the service, and wait until it is gone; harmless when there is nothing. Raises CommandError."""
        owned = f"{SERVICE_LABEL}={self._service}"
        for resource in (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, POD_AUTOSCALERS, REVISIONS, PODS):
            with suppress(NotFound):
                found = self._client.list(resource, self._namespace, label_selector=owned)["items"]
                remove(self._client, [Key(resource, self._namespace, one["metadata"]["name"]) for one in found])

    def _create(
        self,
        resource: Resource,
        entry: Mapping[str, Any],
        labels: Mapping[str, str],
        rest: Wire,
        more: Mapping[str, str],
    ) -> None:
        bounds = {"min-scale": entry.get("minScale"), "max-scale": entry.get("maxScale")}
        annotations = {
            f"autoscaling.knative.dev/{key}": str(value) for key, value in bounds.items() if value is not None
        }
        annotations |= {CLASS_ANNOTATION: CLASS, DEMAND_ANNOTATION: str(self._demand), **more}
        metadata = {"name": entry["revisionName"], "labels": dict(labels), "annotations": annotations}
        wire = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **rest}
        with suppress(AlreadyExists):
            self._client.create(resource, self._namespace, wire)
