"""ROs and namespaces from the API server to the lookup, one step of a reflector at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from webhook.cluster.client import Client
from webhook.cluster.errors import Call, Forbidden
from webhook.cluster.transport import Request
from webhook.server.informers import RolloutInformers
from webhook.server.metrics import ServerMetrics


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.seconds


class Events:
    """A watch that tells these events and ends."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[Any]:
        return iter(self._events)

    def close(self) -> None:
        """As every stream."""


class Server:
    """An API server of lists and watches, by plural; what it was asked is kept."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {}
        self.events: dict[str, list[Any]] = {}
        self.asked: list[Request] = []

    def send(self, request: Request) -> Any:
        self.asked.append(request)
        plural = request.path.rpartition("/")[2]
        if plural not in self.lists:
            raise Forbidden(Call("list", plural), "not allowed", status=403)
        return {"items": self.lists[plural], "metadata": {"resourceVersion": "10"}}

    def stream(self, request: Request) -> Events:
        self.asked.append(request)
        return Events(self.events.pop(request.path.rpartition("/")[2], []))


def ro(name: str, version: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version},
        "spec": spec or {"targetRevisions": [{"revisionName": f"{name}-00001", "minScale": 2}]},
    }


def namespace(name: str, version: str, **labels: str) -> dict[str, Any]:
    spelled = {f"stagegate.dev/{key}": value for key, value in labels.items()}
    return {"metadata": {"name": name, "resourceVersion": version, "uid": name, "labels": spelled}}


def make(server: Server) -> tuple[RolloutInformers, Clock, ServerMetrics]:
    clock, metrics = Clock(), ServerMetrics()
    return RolloutInformers(Client(server, field_manager="test"), clock, metrics), clock, metrics


def step(informers: RolloutInformers) -> None:
    for reflector in informers.reflectors:
        reflector.step()


def test_listed_objects_are_found() -> None:
    server = Server()
    server.lists = {
        "rolloutorchestrators": [ro("hello", "5")],
        "namespaces": [namespace("default", "6", enforce="warn")],
    }
    informers, _, _ = make(server)
    step(informers)
    found = informers.rollouts.rollout("default", "hello")
    assert found is not None
    assert found.bounds["hello-00001"].min_scale == 2
    assert [each.name for each in informers.rollouts.rollouts_listing("default", "hello-00001")] == ["hello"]
    assert informers.rollouts.enforcement("default") == "warn"
    assert informers.unsynced() == ""


def test_a_strategy_that_an_annotation_chooses_is_seen() -> None:
    annotated = ro("hello", "5")
    annotated["metadata"]["annotations"] = {"rollout.knative.dev/progressive-rollout-strategy": "resourceutil"}
    server = Server()
    server.lists = {"rolloutorchestrators": [annotated], "namespaces": []}
    informers, _, _ = make(server)
    step(informers)
    found = informers.rollouts.rollout("default", "hello")
    assert found is not None
    assert found.strategy == "resourceutil"


def test_events_change_what_is_found() -> None:
    server = Server()
    server.lists = {
        "rolloutorchestrators": [ro("a", "5"), ro("b", "6")],
        "namespaces": [namespace("n", "6", enforce="warn")],
    }
    server.events = {
        "rolloutorchestrators": [
            {"type": "DELETED", "object": ro("a", "11")},
            {"type": "ADDED", "object": ro("c", "12")},
            {"type": "MODIFIED", "object": ro("b", "13", targetRevisions=[{"revisionName": "x", "minScale": 7}])},
        ],
        "namespaces": [{"type": "DELETED", "object": namespace("n", "14", enforce="warn")}],
    }
    informers, _, metrics = make(server)
    step(informers)
    assert informers.rollouts.rollout("default", "a") is None
    assert informers.rollouts.rollout("default", "c") is not None
    changed = informers.rollouts.rollout("default", "b")
    assert changed is not None
    assert changed.bounds["x"].min_scale == 7
    assert informers.rollouts.enforcement("n") is None
    labels = {"resource": "rolloutorchestrators", "what": "event"}
    assert metrics.registry.get_sample_value("stagegate_reflector_events_total", labels) == 3


def test_only_labelled_namespaces_are_asked_for() -> None:
    server = Server()
    server.lists = {"rolloutorchestrators": [], "namespaces": []}
    informers, _, _ = make(server)
    step(informers)
    selectors = {each.query.get("labelSelector") for each in server.asked if each.path.endswith("/namespaces")}
    assert selectors == {"stagegate.dev/enforce"}


def test_the_lookup_is_as_old_as_the_last_word_of_the_server() -> None:
    server = Server()
    server.lists = {"rolloutorchestrators": [], "namespaces": []}
    informers, clock, _ = make(server)
    assert informers.rollouts.age() is None
    step(informers)
    assert informers.rollouts.age() == 0
    clock.seconds += 40
    assert informers.rollouts.age() == 40
    step(informers)
    assert informers.rollouts.age() == 40, "a watch that ends at once says nothing"
    server.events["rolloutorchestrators"] = [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "11"}}}]
    step(informers)
    assert informers.rollouts.age() == 0


def test_what_is_not_read_yet_is_named_with_its_reason() -> None:
    server = Server()
    informers, _, _ = make(server)
    assert informers.unsynced() == "rolloutorchestrators.serving.knative.dev not read yet; namespaces not read yet"
    step(informers)
    assert informers.unsynced().startswith(
        "rolloutorchestrators.serving.knative.dev not read yet: list rolloutorchestrators: not allowed; namespaces"
    )
    assert informers.rollouts.age() is None
