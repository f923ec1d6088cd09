"""Knative's controllers, simulated: Services, Configurations, Revisions and Routes, as far as traffic and bounds go.

The autoscaler and the pods are simulated in ``simulation``.
"""

import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from sandbox.workloads import INITIALIZED, INSTRUCTIONS, UNREACHABLE
from webhook.api.kinds import API_VERSION, CONFIGURATION_LABEL, GROUP, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.errors import AlreadyExists, ApiError, Conflict, NotFound
from webhook.cluster.resource import KNATIVE_SERVICES, POD_AUTOSCALERS, REVISIONS, ROUTES, Resource

CONFIGURATIONS: Final = Resource(GROUP, "v1", "configurations", "Configuration")
AUTOSCALING: Final = "autoscaling.knative.dev/"
ROUTING_STATE: Final = f"{GROUP}/routingState"
GENERATION: Final = f"{GROUP}/configurationGeneration"
_REACHABILITY: Final = {"active": "Reachable", "reserve": UNREACHABLE}
_SECONDS_PER_TICK: Final = 0.2
_LOG: Final = logging.getLogger(__name__)

Objects = dict[str, Wire]
"""Of one namespace, by name."""


class KnativeControllers:
    """Carries the Services of a namespace as unmodified Knative does, through the API like any other client.

    An edit makes a new generation of the Configuration, and that a Revision. The Route follows the newest Revision
    that is Ready, or what its ``spec.traffic`` names, and the Service writes ``spec.traffic`` whenever it or its Route
    has changed. A Revision's PodAutoscaler has the annotations of the Revision. ``tick`` does one step; inside a
    ``with`` a thread of its own does one every fifth of a second.
    """

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._written: dict[str, tuple[int, int]] = {}
        """The generations of Service and Route for which the Route was written last, by uid of the Service."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="knative", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_SECONDS_PER_TICK):
            try:
                self.tick()
            except ApiError as problem:
                _LOG.debug("knative: %s; trying again at the next tick", problem)

    def tick(self) -> None:
        """Reconcile every Service once. Raises ApiError when the objects cannot be read."""
        services = self._list(KNATIVE_SERVICES)
        kinds = [self._list(each) for each in (CONFIGURATIONS, REVISIONS, ROUTES, POD_AUTOSCALERS)] if services else []
        for service in services.values():
            if "deletionTimestamp" in service["metadata"]:
                continue
            try:
                self._reconcile(service, *kinds)
            except (AlreadyExists, Conflict, NotFound) as problem:
                _LOG.debug("knative: %s; the next tick sees what is there", problem)

    def _reconcile(
        self, service: Wire, configurations: Objects, revisions: Objects, routes: Objects, autoscalers: Objects
    ) -> None:
        name = service["metadata"]["name"]
        labels = {SERVICE_LABEL: name}
        template = service["spec"]["template"]
        configuration = configurations.get(name)
        if configuration is None:
            self._create(CONFIGURATIONS, name, service, labels, {"spec": {"template": template}})
            return
        if configuration["spec"]["template"] != template:
            configuration = self._update(CONFIGURATIONS, configuration, {"template": template})
        number = configuration["metadata"]["generation"]
        newest = f"{name}-{number:05}"
        if newest not in revisions:
            owned = {**labels, CONFIGURATION_LABEL: name, GENERATION: str(number), ROUTING_STATE: "active"}
            owned[f"{GROUP}/serviceUID"] = service["metadata"]["uid"]
            self._create(REVISIONS, newest, configuration, owned, {"spec": template["spec"]}, _annotations(template))
        mine = {key: one for key, one in revisions.items() if _labels(one).get(SERVICE_LABEL) == name}
        for key, revision in mine.items():
            self._scale(key, revision, autoscalers.get(key))
        ready = [key for key in sorted(mine) if is_ready(mine[key])]
        status = {"latestCreatedRevisionName": newest, **({"latestReadyRevisionName": ready[-1]} if ready else {})}
        self._report(CONFIGURATIONS, configuration, status, newest in ready)
        route = self._route(service, routes.get(name))
        if route is None or not ready:
            return
        traffic = shown_traffic(route["spec"]["traffic"], ready)
        if traffic is not None:
            self._report(ROUTES, route, {"traffic": traffic}, True)
            # As many entries in the status as in the spec, or the Service still waits for its traffic.
            moved = newest in ready and len(traffic) == len(route["spec"]["traffic"])
            self._report(KNATIVE_SERVICES, service, {**status, "traffic": traffic}, moved)
            reached = {entry["revisionName"] for entry in traffic}
            if not all(entry.get("revisionName") for entry in route["spec"]["traffic"]):
                reached.add(newest)
            for key, revision in mine.items():
                self._label(key, revision, "active" if key in reached else "reserve")

    def _route(self, service: Wire, route: Wire | None) -> Wire | None:
        """The Route, written anew where it is another than the Service asks for; what admission makes of it stays."""
        metadata = service["metadata"]
        wanted = wanted_traffic(service)
        if route is None:
            self._create(ROUTES, metadata["name"], service, {SERVICE_LABEL: metadata["name"]}, {"spec": wanted})
            return None
        seen = (metadata["generation"], route["metadata"]["generation"])
        if route["spec"] != wanted and self._written.get(metadata["uid"]) != seen:
            self._written[metadata["uid"]] = seen
            return self._update(ROUTES, route, wanted)
        return route

    def _scale(self, name: str, revision: Wire, autoscaler: Wire | None) -> None:
        """Keep the PodAutoscaler like its Revision, and say whether the Revision is Ready."""
        annotations = {
            key: text for key, text in _annotations(revision).items() if key.startswith((AUTOSCALING, INSTRUCTIONS))
        }
        state = _labels(revision).get(ROUTING_STATE, "")
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
        spec = {"scaleTargetRef": target, "reachability": _REACHABILITY.get(state, "Unknown")}
        if autoscaler is None:
            labels = {SERVICE_LABEL: _labels(revision)[SERVICE_LABEL], REVISION_LABEL: name}
            self._create(POD_AUTOSCALERS, name, revision, labels, {"spec": spec}, annotations)
            return
        if (_annotations(autoscaler), autoscaler["spec"]) != (annotations, spec):
            changed = {**autoscaler, "metadata": {**autoscaler["metadata"], "annotations": annotations}}
            self._update(POD_AUTOSCALERS, changed, spec)
        conditions = {one["type"]: one for one in (autoscaler.get("status") or {}).get("conditions") or ()}
        if conditions.get(INITIALIZED, {}).get("status") == "True":
            self._report(REVISIONS, revision, {}, True)

    def _label(self, name: str, revision: Wire, state: str) -> None:
        if _labels(revision).get(ROUTING_STATE) != state:
            self._client.patch(REVISIONS, self._namespace, name, {"metadata": {"labels": {ROUTING_STATE: state}}})

    def _list(self, resource: Resource) -> Objects:
        return {one["metadata"]["name"]: one for one in self._client.list(resource, self._namespace)["items"]}

    def _create(
        self,
        resource: Resource,
        name: str,
        owner: Wire,
        labels: Mapping[str, str],
        rest: Wire,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        reference = {key: owner["metadata"][key] for key in ("name", "uid")} | {"controller": True}
        reference |= {"apiVersion": API_VERSION, "kind": owner["kind"]}
        metadata: Wire = {"name": name, "labels": dict(labels), "annotations": dict(annotations or {})}
        metadata["ownerReferences"] = [reference]
        head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        self._client.create(resource, self._namespace, {**head, **rest})

    def _update(self, resource: Resource, one: Wire, spec: Wire) -> Wire:
        return self._client.update(resource, self._namespace, one["metadata"]["name"], {**one, "spec": spec})

    def _report(self, resource: Resource, one: Wire, status: Wire, ready: bool) -> None:
        """Write a status with its condition Ready, if it is another."""
        condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
        wanted = {**status, "conditions": [condition], "observedGeneration": one["metadata"]["generation"]}
        if one.get("status") != wanted:
            changed = {"status": wanted, "metadata": {"resourceVersion": one["metadata"]["resourceVersion"]}}
            self._client.patch(resource, self._namespace, one["metadata"]["name"], changed, "status")


def wanted_traffic(service: Wire) -> Wire:
    """The spec that the Service reconciler gives a Route."""
    name = service["metadata"]["name"]
    traffic = service["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]
    return {
        "traffic": [entry if entry.get("revisionName") else {**entry, "configurationName": name} for entry in traffic]
    }


def shown_traffic(entries: list[Wire], ready: list[str]) -> list[Wire] | None:
    """The traffic that a Route's status shows; None while a revision that is named is not Ready.

    ``ready`` are the Revisions that are Ready, the newest last. Equal entries are merged.
    """
    merged: dict[tuple[str, bool], int] = {}
    for entry in entries:
        name = entry.get("revisionName") or ready[-1]
        if name not in ready:
            return None
        key = name, bool(entry.get("latestRevision"))
        merged[key] = merged.get(key, 0) + (entry.get("percent") or 0)
    return [
        {"revisionName": name, "latestRevision": latest, "percent": percent}
        for (name, latest), percent in merged.items()
    ]


def is_ready(one: Mapping[str, Any]) -> bool:
    """True if the condition Ready of an object is True."""
    conditions = (one.get("status") or {}).get("conditions") or ()
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in conditions)


def _labels(one: Wire) -> Mapping[str, str]:
    return (one.get("metadata") or {}).get("labels") or {}


def _annotations(one: Wire) -> Mapping[str, str]:
    return (one.get("metadata") or {}).get("annotations") or {}
