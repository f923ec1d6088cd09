"""World: the objects that were read of a cluster or of a dump, and what could not be read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from webhook.api.kinds import LEASE_NAMESPACE, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.indexer import key_of
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    KNATIVE_SERVICES,
    LEASES,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.knative.annotations import HOLD, annotations_of, labels_of

RESOURCES: Final = (
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    POD_AUTOSCALERS,
    REVISIONS,
    KNATIVE_SERVICES,
    ROUTES,
    DEPLOYMENTS,
    REPLICA_SETS,
    PODS,
    RESOURCE_QUOTAS,
    CONFIG_MAPS,
    LEASES,
    EVENTS,
)
"""Every resource that a snapshot is made of."""

LOOP_LABEL: Final = "app.kubernetes.io/name"
LOOP_NAME: Final = "stagegate-loop"
"""The label of the loop's Deployment, whose arguments say what the loop leaves alone."""

Reason = Literal["forbidden", "not served", "not in the dump", "failed"]


@dataclass(frozen=True, slots=True)
class Unread:
    """A resource that could not be read, in one namespace or, if it is empty, wherever it was asked for.

    ``message`` is one line: whose right is missing, or what failed.
    """

    resource: Resource
    reason: Reason
    message: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """Objects on the wire by resource, the time at which they were read, and the resources that were not.

    ``installed_in`` is the namespace of Stagegate itself.
    """

    objects: Mapping[Resource, Sequence[Wire]]
    at: datetime
    unread: tuple[Unread, ...] = ()
    installed_in: str = LEASE_NAMESPACE
    _by_name: dict[tuple[Resource, str, str], Wire] = field(default_factory=dict, init=False, compare=False)
    _by_label: dict[tuple[Resource, str, str, str], list[Wire]] = field(
        default_factory=lambda: defaultdict(list), init=False, compare=False
    )

    _events: dict[tuple[str, str], list[Wire]] = field(
        default_factory=lambda: defaultdict(list), init=False, compare=False
    )

    def __post_init__(self) -> None:
        for resource, objects in self.objects.items():
            for one in objects:
                namespace, name = key_of(one)
                self._by_name[resource, namespace, name] = one
                labels = labels_of(one)
                for label in (SERVICE_LABEL, REVISION_LABEL):
                    if label in labels:
                        self._by_label[resource, namespace, label, labels[label]].append(one)
                if labels.get(LOOP_LABEL) == LOOP_NAME:
                    self._by_label[resource, "", LOOP_LABEL, LOOP_NAME].append(one)
        for event in self.objects.get(EVENTS, ()):
            about = event.get("involvedObject")
            if isinstance(about, Mapping):
                self._events[key_of(event)[0], str(about.get("name"))].append(event)

    def get(self, resource: Resource, namespace: str, name: str) -> Wire | None:
        return self._by_name.get((resource, namespace, name))

    def events_about(self, namespace: str, name: str) -> Sequence[Wire]:
        """The Events about objects of a name, of any kind."""
        return self._events.get((namespace, name), ())

    def of_service(self, resource: Resource, namespace: str, service: str) -> Sequence[Wire]:
        """The objects whose label names the Knative Service."""
        return self._by_label.get((resource, namespace, SERVICE_LABEL, service), ())

    def of_revision(self, resource: Resource, namespace: str, revision: str) -> Sequence[Wire]:
        """The objects whose label names the Revision."""
        return self._by_label.get((resource, namespace, REVISION_LABEL, revision), ())

    def loops(self) -> Sequence[Wire]:
        """The Deployments of loops, of any namespace."""
        return self._by_label.get((DEPLOYMENTS, "", LOOP_LABEL, LOOP_NAME), ())

    def objects_of(self, resource: Resource, namespace: str | None = None) -> list[Wire]:
        """The objects of a namespace, of all namespaces if it is None."""
        return [one for one in self.objects.get(resource, ()) if namespace is None or key_of(one)[0] == namespace]

    def rollouts(self) -> list[tuple[str, str]]:
        """Namespace and name of every RO, and of every held Route, sorted."""
        held = (one for one in self.objects.get(ROUTES, ()) if HOLD in annotations_of(one))
        return sorted({key_of(one) for one in (*self.objects.get(ROLLOUT_ORCHESTRATORS, ()), *held)})


def world_of(
    objects: Iterable[tuple[Resource, Wire]],
    at: datetime,
    unread: Iterable[Unread] = (),
    *,
    installed_in: str = LEASE_NAMESPACE,
) -> World:
    """The world of these objects, each with its resource."""
    by_resource: dict[Resource, list[Wire]] = {}
    for resource, one in objects:
        by_resource.setdefault(resource, []).append(one)
    return World(by_resource, at, tuple(unread), installed_in)
