"""World: what a namespace holds, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.cluster.client import Client
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

Wire = dict[str, Any]
HOLD: Final = "stagegate.dev/hold"
SERVICE: Final = "serving.knative.dev/service"
READ: Final = (KNATIVE_SERVICES, ROUTES, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, REVISIONS, POD_AUTOSCALERS)


@dataclass(frozen=True)
class World:
    """The objects of each kind by name; what is not there is an empty object."""

    objects: Mapping[Resource, Mapping[str, Wire]]

    @classmethod
    def read(cls, client: Client, namespace: str) -> "World":
        """Raises ApiError."""
        return cls(
            {
                resource: {one["metadata"]["name"]: one for one in client.list(resource, namespace)["items"]}
                for resource in READ
            }
        )

    def get(self, resource: Resource, name: str) -> Wire:
        return self.objects[resource].get(name, {})

    def of(self, service: str) -> list[str]:
        """Everything that belongs to a Service, as kind and name."""
        return [
            f"{resource.plural}/{name}"
            for resource, objects in self.objects.items()
            for name, one in objects.items()
            if service in (name, (one["metadata"].get("labels") or {}).get(SERVICE))
        ]

    def shares(self, service: str) -> dict[str, int]:
        """The traffic of its Route, by revision."""
        traffic = (self.get(ROUTES, service).get("status") or {}).get("traffic") or []
        return {entry["revisionName"]: entry["percent"] for entry in traffic if entry.get("percent")}

    def is_held(self, service: str) -> bool:
        return HOLD in (self.get(ROUTES, service).get("metadata", {}).get("annotations") or {})

    def condition(self, service: str, name: str) -> Wire:
        """Of its rollout."""
        found = (self.get(ROLLOUT_ORCHESTRATORS, service).get("status") or {}).get("conditions") or []
        return next((one for one in found if one["type"] == name), {})

    def is_complete(self, service: str, revision: str) -> bool:
        """True if the Service is Ready as it is now, all of its traffic is at a revision, and nothing is held."""
        one = self.get(KNATIVE_SERVICES, service)
        status = one.get("status") or {}
        ready = {each["type"]: each["status"] for each in status.get("conditions") or []}.get("Ready") == "True"
        return (
            ready
            and status.get("observedGeneration") == one["metadata"].get("generation")
            and self.shares(service) == {revision: 100}
            and not self.is_held(service)
        )

    def running(self, service: str) -> dict[str, int]:
        """The replicas of its revisions that run any."""
        scales = {
            name: (one.get("status") or {}).get("actualScale") or 0
            for name, one in self.objects[POD_AUTOSCALERS].items()
            if one["metadata"]["labels"].get(SERVICE) == service
        }
        return {name: scale for name, scale in scales.items() if scale}
