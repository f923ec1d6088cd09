"""The simulated Knative: the writes after an edit of a Service, and those that a held Route prevents."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.autoscaler import Pace
from sandbox.controllers import KnativeControllers, shown_traffic
from sandbox.demo.control_plane import client_of
from sandbox.simulation import Autoscaler
from webhook.cluster.resource import KNATIVE_SERVICES, POD_AUTOSCALERS, PODS, REVISIONS, ROUTES, Resource

Wire = dict[str, Any]

NAMESPACE = "default"
MIN_SCALE = "autoscaling.knative.dev/min-scale"
ROUTING_STATE = "serving.knative.dev/routingState"
FLOATING = {"configurationName": "shop", "latestRevision": True}


class Shop:
    """A sandbox with one Service, whose controllers and autoscaler take their steps in turns."""

    def __init__(self, kubeconfig: Path) -> None:
        self.client = client_of(kubeconfig)
        self._knative = KnativeControllers(self.client, NAMESPACE)
        self._autoscaler = Autoscaler(self.client, namespace=NAMESPACE, pace=Pace(termination_ticks=1))
        self.peak = 0
        template = {"metadata": {"annotations": {MIN_SCALE: "4"}}, "spec": {"containers": [{"image": "shop:1"}]}}
        head = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "shop"}}
        self.client.create(KNATIVE_SERVICES, NAMESPACE, {**head, "spec": {"template": template}})

    def get(self, resource: Resource, name: str = "shop") -> Wire:
        return self.client.get(resource, NAMESPACE, name)

    def edit(self, **spec: Any) -> None:
        self.client.patch(KNATIVE_SERVICES, NAMESPACE, "shop", {"spec": spec})

    def edit_image(self, image: str) -> None:
        self.edit(template={"spec": {"containers": [{"image": image}]}})

    def running(self) -> dict[str, int]:
        found = self.client.list(POD_AUTOSCALERS, NAMESPACE)["items"]
        return {one["metadata"]["name"]: one.get("status", {}).get("actualScale", 0) for one in found}

    def traffic(self) -> dict[str, int]:
        entries = self.get(ROUTES).get("status", {}).get("traffic", [])
        return {entry["revisionName"]: entry["percent"] for entry in entries if entry["percent"]}

    def until(self, condition: Callable[[], bool]) -> None:
        """Take steps until it holds; nothing here takes 40."""
        for _ in range(40):
            self._knative.tick()
            self._autoscaler.tick()
            self.peak = max(self.peak, sum(self.running().values()))
            if condition():
                return
        raise AssertionError(f"not within 40 steps: {self.running()}, {self.traffic()}")

    def settle(self) -> None:
        for _ in range(8):
            self._knative.tick()
            self._autoscaler.tick()

    def is_ready(self) -> bool:
        status = self.get(KNATIVE_SERVICES).get("status", {})
        return bool(status) and status["conditions"] == [{"type": "Ready", "status": "True"}]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Sandbox(tmp_path) as sandbox:
        shop = Shop(sandbox.kubeconfig)
        shop.until(lambda: shop.running() == {"shop-00001": 4} and shop.is_ready())
        yield shop


def test_without_a_hold_an_edit_moves_everything_at_once_and_runs_both(shop: Shop) -> None:
    shop.edit_image("shop:2")
    shop.until(lambda: shop.running() == {"shop-00001": 0, "shop-00002": 4})

    assert shop.traffic() == {"shop-00002": 100}
    assert shop.peak == 8
    assert shop.is_ready()
    states = {one["metadata"]["name"]: one["metadata"]["labels"][ROUTING_STATE] for one in revisions(shop)}
    assert states == {"shop-00001": "reserve", "shop-00002": "active"}


def test_a_route_that_is_pinned_keeps_its_traffic_and_its_new_revision_active(shop: Shop) -> None:
    pinned = [{"revisionName": "shop-00001", "percent": 100}, {**FLOATING, "percent": 0}]
    shop.edit(traffic=pinned)
    shop.settle()
    shop.edit_image("shop:2")
    shop.until(lambda: shop.running().get("shop-00002") == 4)
    shop.settle()

    assert shop.traffic() == {"shop-00001": 100}
    assert shop.running() == {"shop-00001": 4, "shop-00002": 4}
    assert shop.get(POD_AUTOSCALERS, "shop-00002")["spec"]["reachability"] == "Reachable"


def test_a_pod_autoscaler_has_the_annotations_of_its_revision(shop: Shop) -> None:
    shop.client.patch(REVISIONS, NAMESPACE, "shop-00001", {"metadata": {"annotations": {MIN_SCALE: "2"}}})
    shop.until(lambda: shop.get(POD_AUTOSCALERS, "shop-00001")["metadata"]["annotations"] == {MIN_SCALE: "2"})


def test_a_service_that_writes_its_route_in_vain_writes_it_once_for_each_change(shop: Shop) -> None:
    """As where admission keeps the traffic: the Route is left as it is until it or the Service changes."""
    route = shop.get(ROUTES)
    other = [{**FLOATING, "percent": 100}, {**FLOATING, "percent": 0}]
    shop.client.update(ROUTES, NAMESPACE, "shop", {**route, "spec": {"traffic": other}})
    shop.settle()

    assert shop.get(ROUTES)["spec"]["traffic"] == [{**FLOATING, "percent": 100}]
    version = shop.get(ROUTES)["metadata"]["resourceVersion"]
    shop.settle()
    assert shop.get(ROUTES)["metadata"]["resourceVersion"] == version


def test_everything_goes_with_the_service(shop: Shop) -> None:
    uid = shop.get(KNATIVE_SERVICES)["metadata"]["uid"]
    shop.client.delete(KNATIVE_SERVICES, NAMESPACE, "shop", uid=uid)
    shop.settle()

    for resource in (ROUTES, REVISIONS, POD_AUTOSCALERS, PODS):
        assert shop.client.list(resource, NAMESPACE)["items"] == [], resource


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{**FLOATING, "percent": 100}], [("b", True, 100)]),
        ([{"revisionName": "a", "percent": 100}, {**FLOATING, "percent": 0}], [("a", False, 100), ("b", True, 0)]),
        ([{"revisionName": "a", "percent": 75}, {"revisionName": "a", "percent": 0}], [("a", False, 75)]),
        ([{"revisionName": "c", "percent": 100}], None),
    ],
    ids=["floating", "a floating entry without a share", "equal entries are one", "a revision that is not Ready"],
)
def test_what_a_route_shows(entries: list[Wire], expected: list[tuple[str, bool, int]] | None) -> None:
    shown = shown_traffic(entries, ["a", "b"])
    found = [(one["revisionName"], one["latestRevision"], one["percent"]) for one in shown or ()]
    assert (found if shown is not None else None) == expected


def revisions(shop: Shop) -> list[Wire]:
    found: list[Wire] = shop.client.list(REVISIONS, NAMESPACE)["items"]
    return found
