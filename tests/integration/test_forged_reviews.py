"""Reviews that no API server has sent: whoever reaches the port of the webhook moves nothing with them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo.stack import WEBHOOK, Stack
from tests.admission.test_knative_objects import review, revision, update
from tests.integration.place import Place
from tests.integration.user import User
from tests.knative.routes import floating, held_entries, named
from tests.server.conftest import make_certificates
from tests.server.live import Live, running
from tests.waiting import eventually
from webhook.server.pin_rate import BURST

API = "serving.knative.dev/v1"
SERVICES, ROUTES, REVISIONS = f"{API}/services", f"{API}/routes", f"{API}/revisions"
LIVELY = {"autoscaling.knative.dev/min-scale": "4"}


@pytest.fixture(scope="module")
def live(stack: Stack, admin: User, folder: Path) -> Iterator[Live]:
    """A webhook beside the cluster, whose reviews no API server asks for."""
    place = folder / "forged"
    place.mkdir()
    certificates = make_certificates(place / "certs")
    with running(certificates, place, "--kubeconfig", str(stack.plane.kubeconfig_for(WEBHOOK))) as live:
        eventually(lambda: live.metric("stagegate_knative_synced") == 1, "Knative's objects have been read")
        yield live


class Target:
    """A Service of its own namespace whose Route sends everything to its first Revision."""

    def __init__(self, admin: User, place: Place, live: Live, opted_in: str = "true") -> None:
        self._admin = admin
        self._place = place
        self._live = live
        annotations = {"stagegate.dev/progressive": opted_in}
        self.service = self._made(SERVICES, "Service", "hello", {"template": {}}, annotations=annotations)
        owner = {"apiVersion": API, "kind": "Service", "name": "hello", "uid": self.uid, "controller": True}
        self._made(REVISIONS, "Revision", "hello-00001", {})
        self._made(ROUTES, "Route", "hello", {"traffic": [floating(100)]}, ownerReferences=[owner])
        path = place.path(ROUTES, "hello", "status")
        answer = admin.patch(path, {"status": {"traffic": [named("hello-00001", 100)]}})
        assert answer.done, answer.message
        eventually(self._is_seen, "the webhook has seen the Service and its Route")

    @property
    def uid(self) -> str:
        return str(self.service["metadata"]["uid"])

    @property
    def route(self) -> dict[str, Any]:
        found: dict[str, Any] = self._admin.get(self._place.path(ROUTES, "hello")).body
        return found

    def forged(self, name: str, **request: Any) -> dict[str, Any]:
        """The response to the review of a Revision that is never created."""
        labels = {"serving.knative.dev/service": "hello", "serving.knative.dev/serviceUID": self.uid}
        one = revision(name=name, namespace=self._place.namespace, labels=labels, annotations=LIVELY)
        return sent(self._live, review(one, **{"namespace": self._place.namespace, **request}))

    def reason(self, name: str) -> str:
        """Why the webhook does not pin for this Revision; empty if it does."""
        return str(self.forged(name).get("auditAnnotations", {}).get("skipped", ""))

    def _is_seen(self) -> bool:
        """A Revision that exists is never pinned for; the reason follows only once everything is known."""
        return self.reason("hello-00001").startswith(("RevisionExists", "NotOptedIn"))

    def _made(self, resource: str, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        body = {"apiVersion": API, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
        answer = self._admin.create(self._place.path(resource), body)
        assert answer.done, answer.message
        found: dict[str, Any] = answer.body
        return found


def sent(live: Live, body: bytes) -> dict[str, Any]:
    answer = live.post("/knative", body)
    assert answer.status == 200
    response = dict(json.loads(answer.body)["response"])
    assert response["allowed"] is True
    return response


@pytest.fixture
def target(admin: User, place: Place, live: Live) -> Target:
    return Target(admin, place, live)


def shares(route: dict[str, Any]) -> dict[str, int]:
    return {each["revisionName"]: each["percent"] for each in route["spec"]["traffic"] if each.get("percent")}


def test_a_flood_of_new_revisions_moves_nothing_and_is_held_to_the_rate(target: Target, live: Live) -> None:
    before = live.metric('stagegate_pins_total{result="rate"}')
    versions = set()
    for number in range(2, 2 + 3 * BURST):
        target.forged(f"hello-{number:05}")
        versions.add(target.route["metadata"]["resourceVersion"])
        assert shares(target.route) in ({}, {"hello-00001": 100})
    # On a slow machine another token may be there by then.
    assert BURST <= len(versions) <= 2 * BURST
    assert live.metric('stagegate_pins_total{result="rate"}') - before >= BURST
    assert target.route["spec"]["traffic"] == [
        named("hello-00001", 100),
        {"configurationName": "hello", "latestRevision": True, "percent": 0},
        named("hello-00001", 0),
    ]


@pytest.mark.parametrize(
    "request_",
    [
        {"userInfo": {"username": "jane"}},
        {"dryRun": True},
        {"namespace": "default"},
        {"operation": "UPDATE"},
        {"subResource": "status"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_review_of_another_kind_writes_nothing(target: Target, request_: dict[str, Any]) -> None:
    before = target.route
    assert "patch" not in target.forged("hello-00002", **request_)
    assert target.route == before


def test_a_revision_that_exists_is_not_pinned_for(target: Target) -> None:
    before = target.route
    assert target.reason("hello-00001").startswith("RevisionExists")
    assert target.route == before


def test_a_service_that_is_not_opted_in_is_left_alone(admin: User, place: Place, live: Live) -> None:
    target = Target(admin, place, live, opted_in="false")
    before = target.route
    assert target.reason("hello-00002").startswith("NotOptedIn")
    assert target.route == before


def test_the_switch_of_the_cluster_holds_nothing_new_at_once(
    target: Target, admin: User, live: Live, new_place: Callable[..., Place]
) -> None:
    admin.create("/api/v1/namespaces", {"metadata": {"name": "knative-serving"}})
    config_maps = Place("knative-serving").path("v1/configmaps")
    name = "config-rolloutorchestrator"
    switch = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"hold-nothing-new": "true"}}
    before = target.route
    try:
        answer = admin.create(config_maps, switch)
        assert answer.done, answer.message
        eventually(
            lambda: Target(admin, new_place(), live).reason("hello-00002").startswith("HoldingNothingNew"),
            "the webhook has seen the switch",
        )
        assert target.reason("hello-00002").startswith("HoldingNothingNew")
        assert target.route == before
    finally:
        admin.delete(f"{config_maps}/{name}")


def test_a_forged_write_of_a_route_changes_nothing_but_its_own_answer(target: Target, live: Live) -> None:
    before = target.route
    held = before | {"spec": {"traffic": held_entries(z=100)}}
    assert "patch" not in sent(live, update(before, held))
    assert target.route == before
