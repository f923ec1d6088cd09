"""``stagegate web`` as its component runs it: under its own account, on a real API server that checks every right."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from sandbox.demo.process import Process
from sandbox.demo.stack import Stack
from tests.controlplane import Binaries, ControlPlane
from tests.e2e.cluster import ROS, SPAS, Namespace, documents, rollout, spa
from tests.e2e.standing import NEW, OLD, Standing, eventually
from tests.e2e.test_roles import Right, full_name
from tests.web.served_page import ServedPage
from webhook.api.kinds import LEASE_NAME, LEASE_NAMESPACE
from webhook.cluster.resource import LEASES, RESOURCE_QUOTAS, Resource

Wire = dict[str, Any]

ACCOUNT = "system:serviceaccount:stagegate-system:stagegate-web"
CONTROLLERS = ("deployment-controller", "replicaset-controller")
RBAC = "rbac.authorization.k8s.io"
KINDS = {
    "ServiceAccount": Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    "ClusterRole": Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    "ClusterRoleBinding": Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
}
TEAM = "team-a"
PLACE = Namespace(TEAM)
LEASE_PATH = "/apis/coordination.k8s.io/v1/namespaces/stagegate-system/leases"


class Page(ServedPage):
    """The page, and the API server that it reads."""

    def __init__(self, url: str, plane: ControlPlane) -> None:
        super().__init__(url)
        self.plane = plane

    def events(self) -> list[Wire]:
        """What the API server has logged of the account's requests."""
        return [one for one in self.plane.audit_events() if one["user"]["username"] == ACCOUNT]


@pytest.fixture(scope="module")
def page(binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("web")
    started = ControlPlane.start(
        binaries=binaries_with_controller_manager, manifests=False, knative=False, controllers=CONTROLLERS
    )
    with started as plane, Stack(plane, folder) as stack:
        stack.install()
        for body in documents("components/web"):
            if (resource := KINDS.get(body["kind"])) is not None:
                namespace = body["metadata"]["namespace"] if resource.namespaced else None
                stack.client.apply(resource, namespace, body["metadata"]["name"], body)
        lead(stack)
        begin(stack)
        process = Process(
            ["web", "--port", "0", "--kubeconfig", str(plane.kubeconfig_for(ACCOUNT))], folder / "web.log"
        )
        try:
            found = Page(process.wait_for_line("serving ", 60.0), plane)
            eventually(found.is_ready, "the page has read the rollouts", process.last_words)
            yield found
        finally:
            process.stop()


def lead(stack: Stack) -> None:
    """A loop leads, for longer than the test takes."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "loop-a", "renewTime": now, "acquireTime": now, "leaseDurationSeconds": 86_400}
    body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": {"name": LEASE_NAME}, "spec": spec}
    stack.client.create(LEASES, LEASE_NAMESPACE, body)


def begin(stack: Stack) -> None:
    """A rollout whose new revision wants a pod that nobody schedules, and of which everything exists that is shown."""
    standing = Standing(stack.client, stack.plane.kubeconfig, TEAM)
    standing.create(RESOURCE_QUOTAS, "enough", spec={"hard": {"pods": "100"}})
    standing.begin()
    standing.route({OLD: 100})
    standing.deploy(OLD, 4)
    standing.deploy(NEW)
    eventually(lambda: bool(standing.pods(NEW)), "the new revision has a pod")


def test_the_list_is_shown(page: Page) -> None:
    (item,) = page.document("/")["items"]
    assert (item["namespace"], item["name"]) == (TEAM, "hello")
    status, html = page.get("/")
    assert status == HTTPStatus.OK
    assert f'href="/{TEAM}/hello"' in html


def test_the_page_of_a_rollout_is_shown_down_to_its_pods(page: Page) -> None:
    path = f"/{TEAM}/hello"
    # It is ready once the rollouts were read; the rest follows.
    eventually(lambda: page.document(path)["notSeen"] == [], "all is seen", lambda: page.document(path)["notSeen"])
    status, html = page.get(path)
    assert (status, "Not seen" in html) == (HTTPStatus.OK, False)
    shown = page.document(path)
    assert "loop-absent" not in {cause["id"] for cause in shown["causes"]}
    text = json.dumps(shown["chain"])
    for kind in ("RolloutOrchestrator", "Route", "Revision", "PodAutoscaler", "Deployment", "ReplicaSet", "Pod"):
        assert f'"{kind}"' in text
    assert page.get(f"{path}?format=svg")[1].startswith("<svg")


def test_nothing_that_it_asks_for_is_refused_and_it_only_reads(page: Page) -> None:
    eventually(lambda: page.document(f"/{TEAM}/hello")["notSeen"] == [], "all is seen")
    events = page.events()
    refused = [
        f"{one['verb']} {one['requestURI']}"
        for one in events
        if one.get("responseStatus", {}).get("code", 0) >= HTTPStatus.BAD_REQUEST
    ]
    assert refused == []
    assert {one["verb"] for one in events} == {"list", "watch"}


def test_everything_that_it_may_read_is_read(page: Page) -> None:
    eventually(lambda: page.document(f"/{TEAM}/hello")["notSeen"] == [], "all is seen")
    used = {
        Right(one["verb"], full_name(target.get("apiGroup", ""), target["resource"], target.get("subresource", "")))
        for one in page.events()
        if (target := one.get("objectRef"))
    }
    granted = {
        Right(verb, full_name(group, resource))
        for body in documents("components/web")
        if body["kind"] == "ClusterRole"
        for rule in body["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert used <= granted
    # get is given beside list and watch; it shows nothing that they do not.
    assert {right for right in granted - used if right.verb != "get"} == set()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", f"/{TEAM}/hello"])
def test_the_page_takes_no_write(page: Page, method: str, path: str) -> None:
    assert page.get(path, method)[0] == HTTPStatus.METHOD_NOT_ALLOWED


def test_its_account_may_not_write_and_reads_no_secret(page: Page) -> None:
    pause = {"metadata": {"annotations": {"stagegate.dev/pause": "x"}}}
    with page.plane.session(ACCOUNT) as session:
        answers = {
            "patch": session.patch(PLACE.path(ROS, "hello"), pause),
            "status": session.patch(f"{PLACE.path(ROS, 'hello')}/status", {"status": {}}),
            "create": session.create(PLACE.path(ROS), rollout("other")),
            "create SPA": session.create(PLACE.path(SPAS), spa("other")),
            "delete": session.delete(PLACE.path(ROS, "hello")),
            "secrets": session.get("/api/v1/secrets"),
            "another Lease": session.get(f"{LEASE_PATH}/another"),
        }
    assert {what: answer.status for what, answer in answers.items()} == dict.fromkeys(answers, HTTPStatus.FORBIDDEN)
    assert page.document(f"/{TEAM}/hello")["rollout"]["name"] == "hello"
