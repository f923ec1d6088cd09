"""Places: a namespace of a test, where its objects live, and short ways to write them."""

from dataclasses import dataclass
from typing import Any, Final

Wire = dict[str, Any]

SPAS: Final = "serving.knative.dev/v1/stagepodautoscalers"
ROS: Final = "serving.knative.dev/v1/rolloutorchestrators"
REVISIONS: Final = "serving.knative.dev/v1/revisions"
POD_AUTOSCALERS: Final = "autoscaling.internal.knative.dev/v1alpha1/podautoscalers"
PODS: Final = "v1/pods"
CONFIG_MAPS: Final = "v1/configmaps"
EVENTS: Final = "v1/events"

_KINDS: Final = {SPAS: "StagePodAutoscaler", ROS: "RolloutOrchestrator", CONFIG_MAPS: "ConfigMap"}
SERVICE_LABEL: Final = "serving.knative.dev/service"
REVISION_LABEL: Final = "serving.knative.dev/revision"


@dataclass(frozen=True)
class Place:
    """A namespace."""

    namespace: str

    def path(self, resource: str, name: str = "", subresource: str = "") -> str:
        """The path of a collection or an object; ``resource`` is one of the constants above."""
        version, _, plural = resource.rpartition("/")
        root = "/apis" if "/" in version else "/api"
        parts = [f"{root}/{version}/namespaces/{self.namespace}/{plural}", name, subresource]
        return "/".join(part for part in parts if part)

    def object(self, resource: str, name: str, spec: Wire | None = None, **metadata: Any) -> Wire:
        """An object on the wire; without a spec it has none."""
        body = {
            "apiVersion": resource.rpartition("/")[0],
            "kind": _KINDS[resource],
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
        }
        return body if spec is None else {**body, "spec": spec}

    def spa(self, name: str, spec: Wire | None = None, service: str = "hello") -> Wire:
        """An SPA that states its service and the given bounds."""
        return self.object(SPAS, name, spec, labels={SERVICE_LABEL: service})

    def rollout(self, name: str = "hello", strategy: str | None = None, **metadata: Any) -> Wire:
        """An RO from NAME-00001 to NAME-00002, at least 2 and at most 10 replicas of each."""
        spec: Wire = {
            "initialRevisions": [entry(f"{name}-00001", 100, latestRevision=False)],
            "targetRevisions": [entry(f"{name}-00002", 100, latestRevision=True)],
        }
        if strategy is not None:
            spec["rolloutStrategy"] = strategy
        return self.object(ROS, name, spec, **metadata)


def entry(name: str, percent: int, **members: Any) -> Wire:
    """A target revision on the wire."""
    return {"revisionName": name, "percent": percent, "minScale": 2, "maxScale": 10, **members}
