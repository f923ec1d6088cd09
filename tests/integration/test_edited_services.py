"""Edited Services, rolled out by webhook and loop beside a simulated Knative."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from sandbox.controllers import is_ready
from sandbox.demo.observer import Observer
from sandbox.demo.stack import Stack
from tests.integration.conftest import ROLLING
from tests.integration.place import EVENTS, POD_AUTOSCALERS, REVISIONS, ROS, Place
from tests.integration.user import User, Wire
from tests.waiting import eventually

SERVICES, ROUTES = "serving.knative.dev/v1/services", "serving.knative.dev/v1/routes"
HOLD = "stagegate.dev/hold"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
REPLICAS = 4
PLACE = Place(ROLLING)
_numbers = itertools.count(1)


class Edited:
    """A Service with four replicas by its minimum, of which a stage moves one."""

    def __init__(self, person: User, name: str, progressive: str) -> None:
        self._person = person
        self.name = name
        annotations = {"stagegate.dev/progressive": progressive, "rollout.knative.dev/over-consumption-ratio": "25"}
        template = {"metadata": {"annotations": {MIN_SCALE: str(REPLICAS)}}, "spec": {"containers": [{"image": "a:1"}]}}
        body = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "spec": {"template": template}}
        metadata = {"name": name, "namespace": ROLLING, "annotations": annotations}
        answer = person.create(PLACE.path(SERVICES), {**body, "metadata": metadata})
        assert answer.done, answer.message
        eventually(lambda: self.is_settled() and self.running() == {self.revision(1): REPLICAS}, "revision 1 runs")

    def revision(self, number: int) -> str:
        return f"{self.name}-{number:05}"

    def edit(self, image: str) -> None:
        spec = {"template": {"spec": {"containers": [{"image": image}]}}}
        answer = self._person.patch(PLACE.path(SERVICES, self.name), {"spec": spec})
        assert answer.done, answer.message

    def get(self, resource: str) -> Wire:
        """An object that has the name of the Service."""
        found: Wire = self._person.get(PLACE.path(resource, self.name)).body
        return found

    def is_settled(self) -> bool:
        """True if the Service is Ready as it is now, and its Route is Knative's."""
        service, route = self.get(SERVICES), self.get(ROUTES)
        if HOLD in route["metadata"].get("annotations", {}) or "status" not in service:
            return False
        return is_ready(service) and service["status"]["observedGeneration"] == service["metadata"]["generation"]

    def owned(self, resource: str) -> list[Wire]:
        selector = f"serving.knative.dev/service={self.name}"
        found: list[Wire] = self._person.get(PLACE.path(resource), labelSelector=selector).body["items"]
        return found

    def running(self) -> dict[str, int]:
        found = self.owned(POD_AUTOSCALERS)
        return {one["metadata"]["name"]: one.get("status", {}).get("actualScale", 0) for one in found}

    def events(self) -> set[str]:
        """The reasons of the Events about the Service."""
        found = self._person.get(PLACE.path(EVENTS)).body["items"]
        about = {"kind": "Service", "name": self.name}
        return {one["reason"] for one in found if about.items() <= one["involvedObject"].items()}

    def remove(self) -> None:
        """Everything goes with it; asked of the API server, so that the next test finds nothing."""
        self._person.delete(PLACE.path(SERVICES, self.name))
        eventually(lambda: not self.owned(POD_AUTOSCALERS), "everything is gone")


def shares(route: Wire) -> dict[str, int]:
    entries = route.get("status", {}).get("traffic", [])
    return {entry["revisionName"]: entry["percent"] for entry in entries if entry["percent"]}


@pytest.fixture
def new_service(running: Stack, person: User) -> Iterator[Callable[..., Edited]]:
    made: list[Edited] = []

    def new_service(progressive: str = "true") -> Edited:
        made.append(Edited(person, f"edited-{next(_numbers)}", progressive))
        return made[-1]

    yield new_service
    for service in made:
        service.remove()


def test_an_edit_moves_by_stages_and_leaves_what_knative_would_have_left(
    running: Stack, new_service: Callable[..., Edited]
) -> None:
    service = new_service()
    old, new = service.revision(1), service.revision(2)

    def is_over() -> bool:
        """And until then no share lands on fewer replicas than it needs."""
        before = service.get(ROUTES)
        replicas = service.running()
        if service.get(ROUTES) == before:
            cold = {name for name, share in shares(before).items() if replicas.get(name, 0) * 100 < REPLICAS * share}
            assert not cold, (shares(before), replicas)
        return service.is_settled()

    with Observer(running.client, ROLLING, service.name) as observer:
        service.edit("a:2")
        # The Route is pinned before the new Revision is stored.
        eventually(lambda: len(service.owned(REVISIONS)) == 2, "the new Revision is there")
        eventually(is_over, "the Service is Knative's again", within=60.0)
        outcome = observer.outcome()

    assert outcome.peak == REPLICAS + 1
    assert observer.traffic == [{old: 100}, {old: 75, new: 25}, {old: 50, new: 50}, {old: 25, new: 75}, {new: 100}]
    # The end does not wait for the last replica of what has no traffic any more.
    eventually(lambda: service.running() == {old: 0, new: REPLICAS}, "only the new revision runs")
    floating = {"configurationName": service.name, "latestRevision": True, "percent": 100}
    assert service.get(ROUTES)["spec"]["traffic"] == [floating]
    assert [one["metadata"]["annotations"] for one in service.owned(REVISIONS)] == [{MIN_SCALE: str(REPLICAS)}] * 2
    eventually(lambda: service.events() == {"RolloutStarted", "RolloutComplete"}, "both Events are there")


def test_an_edit_in_the_middle_is_seen_to_its_end(new_service: Callable[..., Edited]) -> None:
    service = new_service()
    newest = service.revision(3)
    service.edit("a:2")
    eventually(lambda: len(shares(service.get(ROUTES))) == 2, "the first stage has moved")
    service.edit("a:3")
    eventually(
        lambda: service.is_settled() and shares(service.get(ROUTES)) == {newest: 100},
        "the newest revision has all of the traffic",
        within=60.0,
    )

    all_at_newest = {service.revision(1): 0, service.revision(2): 0, newest: REPLICAS}
    eventually(lambda: service.running() == all_at_newest, "only the newest revision runs")
    own = [{MIN_SCALE: str(REPLICAS)}] * 3
    eventually(lambda: [one["metadata"]["annotations"] for one in service.owned(REVISIONS)] == own, "own bounds")


def test_a_service_that_is_not_opted_in_is_left_to_knative(running: Stack, new_service: Callable[..., Edited]) -> None:
    service = new_service(progressive="false")
    with Observer(running.client, ROLLING, service.name) as observer:
        service.edit("a:2")
        all_at_new = {service.revision(1): 0, service.revision(2): REPLICAS}
        eventually(lambda: service.is_settled() and service.running() == all_at_new, "Knative has moved it")
        outcome = observer.outcome()

    assert outcome.peak == 2 * REPLICAS
    assert service.get(ROS)["code"] == 404
    assert service.events() == set()
