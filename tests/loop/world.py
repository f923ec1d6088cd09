"""A world for the loop: a fake API server, a clock, the real controllers, and no threads."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.cluster.fake_api import FakeApi
from tests.cluster.fake_clock import FakeClock
from webhook.api.kinds import CONFIGURATION_LABEL, REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import rollout_owner_reference
from webhook.api.wire import Wire
from webhook.cluster.client import Client
from webhook.cluster.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.loop.caches import RESOURCES
from webhook.loop.loop import Loop
from webhook.loop.loop_options import LoopOptions
from webhook.loop.metrics import Metrics

if TYPE_CHECKING:
    from webhook.cluster.events import Event

KNATIVE = (REVISIONS, POD_AUTOSCALERS, KNATIVE_SERVICES, ROUTES)


class World:
    """Call ``settle`` to let the loop see and do everything there is to do at this moment."""

    def __init__(self, absent: Sequence[Resource] = (), **options: Any) -> None:
        self.api, self.clock = FakeApi(), FakeClock()
        self.api.serve(*(resource for resource in (*RESOURCES, EVENTS) if resource not in absent))
        self.events: list[Event] = []
        self.options = LoopOptions(**options)
        self.start()

    def start(self) -> None:
        """A new process: what the last one knew is gone."""
        self.metrics = Metrics(RESOURCES)
        self.loop = Loop(
            Client(self.api, field_manager="stagegate-loop"),
            self.clock,
            self.options,
            self.metrics,
            self.events.append,
        )
        self.working = False

    def observe(self) -> None:
        """Let every reflector receive all changes so far."""
        for cache in self.loop.caches:
            for reflector in cache.reflectors:
                reflector.step()
        if not self.working and self.loop.caches.ready():
            self.working = True
            self.loop.begin()

    def settle(self, most: int = 200) -> "World":
        for _ in range(most):
            self.observe()
            worked = self.loop.workers.step()
            while worked and self.loop.workers.step():
                pass
            if not worked and self.working:
                return self
        raise AssertionError(f"the loop does not come to rest: {self.written()[-10:]}")

    def written(self) -> list[str]:
        """Requests that change something, in order, without Events and reads."""
        return [str(write) for write in self.api.writes if write.resource != "events"]

    def forget(self) -> "World":
        """Forget the writes and Events so far."""
        self.api.writes.clear()
        self.api.reads.clear()
        self.events.clear()
        return self

    def emitted(self) -> list[str]:
        """The Events, each once, as the recorder sends them."""
        return list(dict.fromkeys(f"{event.type} {event.reason}: {event.message}" for event in self.events))

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]

    # Objects

    def rollout(self, name: str = "hello", *, status: Wire | None = None, **spec: Any) -> Wire:
        one: Wire = {"metadata": {"name": name, "labels": {SERVICE_LABEL: name}}, "spec": spec}
        if status is not None:
            one["status"] = status
        return self.api.put(ROLLOUT_ORCHESTRATORS, one)

    def edit(self, name: str = "hello", **spec: Any) -> Wire:
        """What a person does to an RO's spec."""
        ro = self.ro(name)
        return self.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "spec": {**ro["spec"], **spec}})

    def revision(self, name: str, service: str = "hello", **labels: str) -> Wire:
        every = {SERVICE_LABEL: service, CONFIGURATION_LABEL: service, **labels}
        return self.api.put(REVISIONS, {"metadata": {"name": name, "labels": every}})

    def revision_says(self, name: str, *conditions: Wire) -> Wire:
        """Knative sets the conditions of a Revision."""
        found = self.api.get(REVISIONS, "default", name)
        assert found is not None
        return self.api.put(REVISIONS, {**found, "status": {"conditions": list(conditions)}})

    def scale(
        self,
        name: str,
        actual: int | None,
        desired: int | None = None,
        service: str = "hello",
        conditions: Sequence[Wire] = (),
    ) -> Wire:
        """The PodAutoscaler of a revision; desired follows actual unless it is given."""
        desired = actual if desired is None else desired
        status: Wire = {
            key: value for key, value in (("actualScale", actual), ("desiredScale", desired)) if value is not None
        }
        if conditions:
            status["conditions"] = list(conditions)
        labels = {SERVICE_LABEL: service, REVISION_LABEL: name}
        return self.api.put(POD_AUTOSCALERS, {"metadata": {"name": name, "labels": labels}, "status": status})

    def pod(self, name: str, revision: str, **metadata: Any) -> Wire:
        phase = metadata.pop("phase", "Running")
        labels = {REVISION_LABEL: revision}
        return self.api.put(
            PODS, {"metadata": {"name": name, "labels": labels, **metadata}, "status": {"phase": phase}}
        )

    def deployment(self, revision: str, replicas: int, available: int, service: str = "hello") -> Wire:
        return self.api.put(
            DEPLOYMENTS,
            {
                "metadata": {
                    "name": f"{revision}-deployment",
                    "labels": {SERVICE_LABEL: service, REVISION_LABEL: revision},
                },
                "spec": {"replicas": replicas},
                "status": {
                    "availableReplicas": available,
                    "conditions": [{"type": "Available", "status": str(available == replicas)}],
                },
            },
        )

    def spa_object(self, name: str, service: str = "hello", status: Wire | None = None, **spec: int) -> Wire:
        """An SPA as the loop would have made it."""
        owner = rollout_owner_reference(service, f"uid-{service}")
        labels = {SERVICE_LABEL: service, REVISION_LABEL: name}
        one: Wire = {"metadata": {"name": name, "labels": labels, "ownerReferences": [owner]}, "spec": spec}
        if status is not None:
            one["status"] = status
        return self.api.put(STAGE_POD_AUTOSCALERS, one)

    def settings(self, **data: str) -> Wire:
        renamed = {key.replace("_", "-"): value for key, value in data.items()}
        metadata = {"name": "config-rolloutorchestrator", "namespace": "knative-serving"}
        return self.api.put(CONFIG_MAPS, {"metadata": metadata, "data": renamed})

    # What is stored

    def ro(self, name: str = "hello") -> Wire:
        found = self.api.get(ROLLOUT_ORCHESTRATORS, "default", name)
        assert found is not None
        return found

    def spa(self, name: str) -> Wire:
        found = self.api.get(STAGE_POD_AUTOSCALERS, "default", name)
        assert found is not None
        return found

    def has_spa(self, name: str) -> bool:
        return self.api.get(STAGE_POD_AUTOSCALERS, "default", name) is not None

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        spec = self.spa(name).get("spec") or {}
        return spec.get("stageMinScale"), spec.get("stageMaxScale")

    def stage(self, name: str = "hello") -> dict[str, tuple[int | None, int | None]]:
        """Revision to percent and target replicas."""
        entries = self.ro(name)["spec"].get("stageTargetRevisions") or []
        return {entry["revisionName"]: (entry.get("percent"), entry.get("targetReplicas")) for entry in entries}

    def condition(self, type_: str, name: str = "hello") -> tuple[str, str]:
        """Status and reason of one of the RO's conditions."""
        found = self.stored_condition(type_, name)
        return found.get("status", ""), found.get("reason", "")

    def condition_message(self, type_: str, name: str = "hello") -> str:
        """The message of one of the RO's conditions, empty without one."""
        return str(self.stored_condition(type_, name).get("message", ""))

    def stored_condition(self, type_: str, name: str = "hello") -> Wire:
        """One of the RO's conditions, empty for none."""
        conditions: Sequence[Wire] = (self.ro(name).get("status") or {}).get("conditions") or []
        return next((condition for condition in conditions if condition["type"] == type_), {})


def entry(name: str, percent: int | None = None, low: int | None = None, high: int | None = None, **more: Any) -> Wire:
    """A target revision on the wire."""
    members = {"revisionName": name, "percent": percent, "minScale": low, "maxScale": high, **more}
    return {key: value for key, value in members.items() if value is not None}


def condition(type_: str, status: str, reason: str = "", message: str = "") -> Wire:
    """A condition of a PodAutoscaler or a Revision on the wire."""
    members = {"type": type_, "status": status, "reason": reason, "message": message}
    return {key: value for key, value in members.items() if value}


def two_revisions(world: World, replicas: int = 4, low: int = 1, high: int = 10, **spec: Any) -> World:
    """A service that runs ``replicas`` of its first revision and is about to go to its second."""
    for name, actual in (("hello-00001", replicas), ("hello-00002", 0)):
        world.revision(name)
        world.scale(name, actual)
    world.rollout(
        initialRevisions=[entry("hello-00001", 100, low, high)],
        targetRevisions=[entry("hello-00002", 100, low, high, latestRevision=True)],
        **spec,
    )
    return world


def autoscale(world: World, demand: int, service: str = "hello") -> None:
    """One move of an autoscaler: replicas by traffic, within the bounds of the SPA."""
    stage = world.stage(service)
    for one in [one for (path, _, _), one in world.api.objects.items() if path == POD_AUTOSCALERS.path()]:
        name = one["metadata"]["name"]
        if one["metadata"]["labels"][SERVICE_LABEL] != service:
            continue
        percent = stage.get(name, (0, 0))[0] or 0
        wanted = -(-demand * percent // 100)
        if world.has_spa(name):
            low, high = world.bounds(name)
            wanted = max(wanted, low or 0)
            wanted = min(wanted, high) if high else (0 if (low, high) == (0, 0) else wanted)
        if {one["status"].get(key) for key in ("desiredScale", "actualScale")} != {wanted}:
            world.scale(name, wanted, service=service)


def carry(
    world: World,
    demand: int = 4,
    ticks: int = 60,
    every: Callable[[], None] = lambda: None,
    until: Callable[[], bool] | None = None,
) -> World:
    """Let loop and autoscaler take turns until the condition holds, or else until the rollout is complete."""
    for _ in range(ticks):
        world.settle()
        every()
        if until() if until else world.condition("Ready")[0] == "True":
            return world
        autoscale(world, demand)
        world.clock.advance(1)
    raise AssertionError(f"not over after {ticks} turns: {world.ro()}")
