"""Stock Knative for one Service, simulated a turn at a time: Revisions, Route, routing states and an autoscaler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.loop.world import World
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.api.wire import Wire, copy_of
from webhook.cluster.resource import KNATIVE_SERVICES, NAMESPACES, POD_AUTOSCALERS, REVISIONS, ROUTES
from webhook.knative.annotations import HOLD
from webhook.knative.hold import HELD, Hold
from webhook.knative.traffic import held_traffic, shares, stock_traffic

PREFIX = "autoscaling.knative.dev/"
ROUTING_STATE = "serving.knative.dev/routingState"
OLD, NEW, THIRD = "hello-00001", "hello-00002", "hello-00003"
LOWERED = {
    PREFIX + "min-scale": "1",
    PREFIX + "stagegate-own": '{"min-scale":"4","set":{"min-scale":"1"}}',
}
Path = list[tuple[tuple[str, int], ...]]


@dataclass
class Knative:
    """A Service ``hello`` in ``default``. A turn lets Route, labels, Revisions and autoscaler move once.

    ``demand`` is in pods for all of the traffic; ``broken`` are revisions that are never Ready, and of
    ``hanging`` ones Knative does not say why; while ``stalled`` the
    Route does not move. An autoscaler that ``lags`` decides only every so many turns, by the bounds that it saw at its
    last decision, and halves what it takes away, as Knative's does. ``births`` are the turns of ``path`` in which a
    Revision was created.
    """

    world: World
    demand: int = 0
    broken: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    stalled: bool = False
    scales_to_zero: bool = True
    lags: int = 0
    _latest_ready: str = ""
    _bounds_seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    births: list[int] = field(default_factory=list)
    path: list[tuple[dict[str, int], dict[str, int]]] = field(default_factory=list)

    def start(self, **scales: str) -> "Knative":
        """The Service with its first Revision, which has all of the traffic."""
        self.world.api.put(NAMESPACES, {"metadata": {"name": "default", "labels": {}}})
        self.world.api.put(
            KNATIVE_SERVICES,
            {
                "metadata": {"name": "hello", "annotations": {"stagegate.dev/progressive": "true"}},
                "spec": {"template": {"metadata": {"annotations": _annotations(scales)}}},
            },
        )
        self.world.api.put(ROUTES, {"metadata": {"name": "hello"}, "spec": {"traffic": stock_traffic(self.service)}})
        self._revision(1, _annotations(scales))
        for _ in range(20):
            self.turn()
        self.path.clear()
        return self

    def edit(self, number: int, *, pinned: bool = True, born: Mapping[str, str] | None = None, **scales: str) -> None:
        """An edit of the template: the webhook pins the Route and lowers the new Revision, which is stored then.

        One that is not lowered starts with its own minimum.
        """
        name = f"hello-{number:05d}"
        if pinned:
            route = self.route
            held = shares(route["spec"]["traffic"]) or shares(route["status"]["traffic"])
            hold = Hold(HELD, held, name, self.service["metadata"]["uid"])
            route["spec"]["traffic"] = held_traffic(held, (), "hello")
            route["metadata"]["annotations"] = {HOLD: hold.to_annotation()}
            self.world.api.put(ROUTES, route)
        annotations = {**_annotations(scales), **(born or {})}
        low = int(annotations.get(PREFIX + "min-scale", "0"))
        self._revision(number, annotations, 0 if born else low)
        self._bounds_seen[name] = low, 0
        self.births.append(len(self.path))

    def turn(self) -> None:
        """Everything of Knative's moves once, and what can be observed afterwards is recorded."""
        self._autoscale()
        self._ready()
        if not self.stalled:
            self._route()
        self._label()
        self.path.append((shares(self.route["status"].get("traffic")), self.pods))

    # What is stored

    @property
    def service(self) -> Wire:
        return self._get(KNATIVE_SERVICES, "hello")

    @property
    def route(self) -> Wire:
        return self._get(ROUTES, "hello")

    @property
    def is_held(self) -> bool:
        return HOLD in (self.route["metadata"].get("annotations") or {})

    @property
    def revisions(self) -> dict[str, Wire]:
        return {one["metadata"]["name"]: one for one in self._all(REVISIONS)}

    @property
    def pods(self) -> dict[str, int]:
        return {one["metadata"]["name"]: one["status"]["actualScale"] for one in self._all(POD_AUTOSCALERS)}

    def annotations(self, name: str) -> dict[str, str]:
        """Those of a Revision, without their prefix."""
        found = self.revisions[name]["metadata"].get("annotations") or {}
        return {key.removeprefix(PREFIX): text for key, text in found.items()}

    def shares(self) -> dict[str, int]:
        return shares(self.route["status"].get("traffic"))

    def _get(self, resource: Any, name: str) -> Wire:
        found = self.world.api.get(resource, "default", name)
        assert found is not None
        return dict(copy_of(found))

    def _all(self, resource: Any) -> list[Wire]:
        found = [one for (path, _, _), one in self.world.api.objects.items() if path == resource.path()]
        return [dict(copy_of(one)) for one in sorted(found, key=lambda one: str(one["metadata"]["name"]))]

    # What Knative does

    def _revision(self, number: int, annotations: Mapping[str, str], pods: int = 0) -> None:
        name = f"hello-{number:05d}"
        labels = {
            SERVICE_LABEL: "hello",
            CONFIGURATION_LABEL: "hello",
            "serving.knative.dev/configurationGeneration": str(number),
            ROUTING_STATE: "active",
        }
        metadata = {"name": name, "labels": labels, "annotations": dict(annotations)}
        status = {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Deploying"}]}
        self.world.api.put(REVISIONS, {"metadata": metadata, "status": status})
        autoscaler = {
            "metadata": {"name": name, "labels": {SERVICE_LABEL: "hello", REVISION_LABEL: name}},
            "status": {"desiredScale": max(1, pods), "actualScale": pods},
        }
        self.world.api.put(POD_AUTOSCALERS, autoscaler)

    def _autoscale(self) -> None:
        """One pod a turn, towards the demand of the share within the bounds; a minimum counts while it is reachable."""
        served = shares(self.route["status"].get("traffic") if "status" in self.route else None)
        for name, revision in self.revisions.items():
            annotations = self.annotations(name)
            bounds = int(annotations.get("min-scale", "0")), int(annotations.get("max-scale", "0"))
            low, high = self._bounds_seen.get(name, bounds) if self.lags else bounds
            if self.lags and len(self.path) % self.lags == 0:
                self._bounds_seen[name] = bounds
            if revision["metadata"]["labels"][ROUTING_STATE] == "reserve":
                low = 0
            is_new = revision["status"]["conditions"][0]["status"] != "True"
            wanted = max(-(-self.demand * served.get(name, 0) // 100), low, 1 if is_new else 0)
            wanted = min(wanted, high) if high else wanted
            if not self.scales_to_zero and not is_new:
                wanted = max(wanted, 1)
            autoscaler = self._get(POD_AUTOSCALERS, name)
            actual = autoscaler["status"]["actualScale"]
            if self.lags:
                wanted = max(wanted, actual // 2)
                actual = wanted if wanted < actual else actual + (wanted > actual)
            else:
                actual += (wanted > actual) - (wanted < actual)
            if name in self.broken | self.hanging:
                actual = 0
            status = {"desiredScale": wanted, "actualScale": actual}
            metadata = {**autoscaler["metadata"], "annotations": revision["metadata"].get("annotations") or {}}
            if (autoscaler["metadata"], autoscaler["status"]) != (metadata, status):
                self.world.api.put(POD_AUTOSCALERS, {**autoscaler, "metadata": metadata, "status": status})

    def _ready(self) -> None:
        for name, revision in self.revisions.items():
            ready = "False" if name in self.broken else "True"
            if self.pods[name] and revision["status"]["conditions"][0]["status"] != ready:
                revision["status"] = {"conditions": [{"type": "Ready", "status": ready}]}
                self.world.api.put(REVISIONS, revision)
            elif ready == "False" and revision["status"]["conditions"][0]["status"] != "False":
                condition = {"type": "Ready", "status": "False", "reason": "ExitCode1", "message": "Container failed."}
                self.world.api.put(REVISIONS, {**revision, "status": {"conditions": [condition]}})

    def _route(self) -> None:
        ready = [name for name, one in self.revisions.items() if one["status"]["conditions"][0]["status"] == "True"]
        if not ready:
            return
        self._latest_ready = max(self._latest_ready, *ready)
        route, latest = self.route, self._latest_ready
        entries = [(one.get("revisionName") or latest, one.get("percent", 0)) for one in route["spec"]["traffic"]]
        if any(name not in ready for name, _ in entries):
            return
        percents: dict[str, int] = {}
        for name, percent in entries:
            percents[name] = percents.get(name, 0) + percent
        traffic = [{"revisionName": name, "percent": percent} for name, percent in percents.items()]
        if any(one.get("latestRevision") for one in route["spec"]["traffic"]):
            traffic.append({"revisionName": latest, "latestRevision": True, "percent": 0})
        status = {
            "traffic": traffic,
            "observedGeneration": route["metadata"]["generation"],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        if route.get("status") != status:
            self.world.api.put(ROUTES, {**route, "status": status})

    def _label(self) -> None:
        routed = {one["revisionName"] for one in (self.route.get("status") or {}).get("traffic") or ()}
        if any(one.get("latestRevision") for one in self.route["spec"]["traffic"]):
            routed.add(max(self.revisions))
        for name, revision in self.revisions.items():
            state = "active" if name in routed else "reserve"
            if revision["metadata"]["labels"][ROUTING_STATE] != state:
                revision["metadata"]["labels"][ROUTING_STATE] = state
                self.world.api.put(REVISIONS, revision)


def _annotations(scales: Mapping[str, str]) -> dict[str, str]:
    return {PREFIX + key.replace("_", "-"): text for key, text in scales.items()}


def by_resourceutil(knative: Knative) -> Knative:
    """The same Service, which names the strategy in its template."""
    service = knative.service
    key = "rollout.knative.dev/progressive-rollout-strategy"
    service["spec"]["template"]["metadata"]["annotations"][key] = "resourceutil"
    knative.world.api.put(KNATIVE_SERVICES, service)
    return knative


def carry(knative: Knative, until: Callable[[], bool] | None = None, turns: int = 120) -> Path:
    """Let loop and Knative take turns until the hold is gone, or until the condition holds; the shares on the way."""
    for _ in range(turns):
        knative.world.settle()
        if until() if until else not knative.is_held:
            break
        knative.turn()
        knative.world.clock.advance(1)
    else:
        raise AssertionError(f"not over after {turns} turns: {knative.path[-3:]}, {knative.world.emitted()[-3:]}")
    return as_shares(*(shares for shares, _ in knative.path))


def as_shares(*path: Mapping[str, int]) -> Path:
    """Each share once, in the order in which they were first seen, and their members sorted."""
    return list(dict.fromkeys(tuple(sorted(shares.items())) for shares in path))
