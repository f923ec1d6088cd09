"""The component stock-knative on an API server: what it does to Routes, and what it leaves Stagegate's accounts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

import pytest

from sandbox.demo.stack import LOOP, WEBHOOK
from tests.controlplane import ControlPlane
from tests.controlplane.session import Session
from tests.e2e.cluster import (
    Namespace,
    cached,
    create_namespace,
    documents,
    eventually,
    refused,
    register,
    unregister,
)
from tests.e2e.receiver import Receiver
from webhook.knative.annotations import HOLD
from webhook.knative.hold import HELD, RELEASING, Hold
from webhook.knative.traffic import held_traffic, stock_traffic

Wire = dict[str, Any]

COMPONENT = "components/stock-knative"
SERVICE = {"metadata": {"name": "hello"}}
STOCK = stock_traffic(SERVICE)
OWNER = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "hello", "uid": "uid", "controller": True}
OLD_ALONE = held_traffic({"hello-00001": 100}, (), "hello")
MOVED = held_traffic({"hello-00001": 75, "hello-00002": 25}, (), "hello")
HELD_BY = Hold(HELD, {"hello-00001": 100}, "hello-00002", "uid").to_annotation()
RELEASED_BY = Hold(RELEASING, {"hello-00001": 100}, "hello-00002", "uid").to_annotation()
ALREADY = [{"revisionName": "hello-00001", "latestRevision": True, "percent": 100}]


def knative_object(kind: str, spec: Wire, annotations: Wire | None = None, **metadata: Any) -> Wire:
    noted = {} if annotations is None else {"annotations": annotations}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": kind,
        "metadata": {"name": "hello", "labels": {"a": "b"}, **noted, **metadata},
        "spec": spec,
    }


class Routes:
    """A namespace with one Route, as somebody with all rights keeps it."""

    def __init__(self, admin: Session, namespace: Namespace) -> None:
        self.admin = admin
        self.namespace = namespace

    @property
    def path(self) -> str:
        return self.namespace.path("routes", "hello")

    def has(self, traffic: list[Wire], annotations: Wire | None, shown: list[Wire] = ALREADY) -> Wire:
        """The Route, put there with this traffic and these annotations, and with a status that shows ``shown``."""
        self.admin.delete(self.path)
        created = self.admin.create(
            self.namespace.path("routes"),
            knative_object("Route", {"traffic": traffic}, annotations, ownerReferences=[OWNER]),
        )
        assert created.status == HTTPStatus.CREATED, created.message
        answer = self.admin.patch(f"{self.path}/status", {"status": {"traffic": shown}})
        assert answer.status == HTTPStatus.OK, answer.message
        cached(self.admin, self.path)
        found: Wire = answer.body
        return found


@pytest.fixture(scope="module")
def routes(plane: ControlPlane) -> Routes:
    return Routes(plane.admin, create_namespace(plane.admin, "held-routes", {}))


@pytest.fixture(scope="module")
def accounts(plane: ControlPlane, routes: Routes) -> Iterator[dict[str, Session]]:
    """Both accounts with the rights that the manifests give them, and the policies that narrow these."""
    for body in documents(COMPONENT):
        if body["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            plane.admin.create(f"/apis/rbac.authorization.k8s.io/v1/{body['kind'].lower()}s", body)
    with ExitStack() as ends:
        loop, webhook = (ends.enter_context(plane.session(account)) for account in (LOOP, WEBHOOK))
        routes.has(STOCK, None)
        revision = routes.namespace.path("revisions", "hello")
        plane.admin.create(routes.namespace.path("revisions"), knative_object("Revision", {}))
        narrowed = ((webhook, routes.path), (loop, routes.path), (loop, revision))
        ends.callback(eventually, lambda: not any(is_narrowed(*each) for each in narrowed))
        for body in documents(COMPONENT):
            if "Policy" in body["kind"]:
                register(plane.admin, body)
                ends.callback(unregister, plane.admin, body)
        eventually(lambda: all(is_narrowed(*each) for each in narrowed))
        yield {"loop": loop, "webhook": webhook}


def is_narrowed(session: Session, path: str) -> bool:
    """Whether a policy refuses what the account's role would allow."""
    return "ValidatingAdmissionPolicy" in session.patch(path, labelled("c")).message


def labelled(value: str) -> Wire:
    return {"metadata": {"labels": {"a": value}}}


def patch(traffic: list[Wire] | None = None, hold: str | None = "", **metadata: Any) -> Wire:
    """A merge patch of a Route; with None the hold is removed, by default it is left as it is."""
    body: Wire = {"metadata": metadata}
    if hold != "":
        body["metadata"]["annotations"] = {HOLD: hold}
    return body if traffic is None else body | {"spec": {"traffic": traffic}}


NO_HOLD: Wire = {"note": "a"}
HOLDS = {"note": "a", HOLD: HELD_BY}
SPLIT = [{"revisionName": "hello-00001", "percent": 40}, {"revisionName": "hello-00002", "percent": 60}]
TWICE = [{"revisionName": "hello-00001", "percent": 40}, {"revisionName": "hello-00001", "percent": 60}]

ROUTE_WRITES = {
    # The webhook pins, and does nothing else.
    "the webhook pins what the Route shows": (
        "webhook", STOCK, NO_HOLD, ALREADY, patch(OLD_ALONE, HELD_BY), True),
    "the webhook pins a revision that has two entries": (
        "webhook", STOCK, NO_HOLD, TWICE, patch(OLD_ALONE, HELD_BY), True),
    "the webhook pins anew in the middle": (
        "webhook", MOVED, HOLDS, ALREADY, patch(MOVED, HELD_BY.replace("00002", "00003")), True),
    "the webhook pins anew while the hold is released": (
        "webhook", STOCK, {HOLD: RELEASED_BY}, SPLIT, patch(held_traffic({"hello-00001": 40, "hello-00002": 60}, (),
        "hello"), HELD_BY), True),
    "the webhook moves traffic to another revision": (
        "webhook", STOCK, NO_HOLD, ALREADY, patch(held_traffic({"hello-00009": 100}, (), "hello"), HELD_BY), False),
    "the webhook gives revisions other shares": (
        "webhook", STOCK, NO_HOLD, SPLIT, patch(MOVED, HELD_BY), False),
    "the webhook moves traffic to what floats": ("webhook", MOVED, HOLDS, ALREADY, patch(STOCK), False),
    "the webhook removes a hold": ("webhook", MOVED, HOLDS, ALREADY, patch(None, None), False),
    "the webhook writes without a hold": ("webhook", STOCK, NO_HOLD, ALREADY, patch(OLD_ALONE), False),
    "the webhook adds an annotation": (
        "webhook", STOCK, NO_HOLD, ALREADY, patch(OLD_ALONE, HELD_BY, labels={"c": "d"}), False),
    # The loop moves what is held.
    "the loop moves traffic of a held Route": ("loop", OLD_ALONE, HOLDS, ALREADY, patch(MOVED), True),
    "the loop gives the traffic back": ("loop", MOVED, HOLDS, ALREADY, patch(STOCK, RELEASED_BY), True),
    "the loop removes the hold": ("loop", STOCK, {HOLD: RELEASED_BY}, ALREADY, patch(None, None), True),
    "the loop moves traffic that nothing holds": ("loop", STOCK, NO_HOLD, ALREADY, patch(MOVED), False),
    "the loop pins": ("loop", STOCK, NO_HOLD, ALREADY, patch(OLD_ALONE, HELD_BY), False),
    "the loop changes a label": ("loop", MOVED, HOLDS, ALREADY, labelled("c"), False),
    "the loop adds an annotation": (
        "loop", MOVED, HOLDS, ALREADY, {"metadata": {"annotations": {"serving.knative.dev/x": "y"}}}, False),
    "the loop removes an annotation": (
        "loop", MOVED, HOLDS, ALREADY, {"metadata": {"annotations": {"note": None}}}, False),
    "the loop adds an owner": (
        "loop", MOVED, HOLDS, ALREADY, patch(ownerReferences=[
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"}]), False),
    "the loop adds a finalizer": ("loop", MOVED, HOLDS, ALREADY, patch(finalizers=["example.com/wait"]), False),
    "the loop changes another field": ("loop", MOVED, HOLDS, ALREADY, {"spec": {"more": 1}}, False),
}  # fmt: skip


@pytest.mark.parametrize(
    ("account", "traffic", "annotations", "shown", "write", "passes"), ROUTE_WRITES.values(), ids=ROUTE_WRITES
)
def test_what_our_accounts_may_write_to_a_route(
    accounts: dict[str, Session],
    routes: Routes,
    account: str,
    traffic: list[Wire],
    annotations: Wire,
    shown: list[Wire],
    write: Wire,
    passes: bool,
) -> None:
    routes.has(traffic, annotations, shown)

    answer = accounts[account].patch(routes.path, write)

    assert answer.status == HTTPStatus.OK if passes else refused(answer), answer.message


@pytest.mark.parametrize(
    ("write", "passes"),
    [
        ({"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}}, True),
        ({"metadata": {"annotations": {"autoscaling.knative.dev/stagegate-own": None}}}, True),
        ({"metadata": {"annotations": {"note": "b"}}}, False),
        ({"metadata": {"annotations": {"note": None}}}, False),
        (labelled("c"), False),
        (patch(finalizers=["example.com/wait"]), False),
        ({"spec": {"timeoutSeconds": 1}}, False),
    ],
)
def test_what_the_loop_may_write_to_a_revision(
    plane: ControlPlane, accounts: dict[str, Session], namespace: Namespace, write: Wire, passes: bool
) -> None:
    annotations = {"note": "a", "autoscaling.knative.dev/stagegate-own": "{}"}
    plane.admin.create(namespace.path("revisions"), knative_object("Revision", {"containers": []}, annotations))

    answer = accounts["loop"].patch(namespace.path("revisions", "hello"), write)

    assert answer.status == HTTPStatus.OK if passes else refused(answer), answer.message


def test_the_largest_objects_cost_no_more_than_a_policy_may(
    plane: ControlPlane, accounts: dict[str, Session], routes: Routes, namespace: Namespace
) -> None:
    many = {f"example.com/{'a' * 40}-{number}": "b" * 40 for number in range(2000)}
    shares = [{"revisionName": f"hello-{number:05}", "percent": 1} for number in range(100)]
    routes.has(STOCK, many, shares)
    plane.admin.create(namespace.path("revisions"), knative_object("Revision", {}, many))

    pinned = accounts["webhook"].patch(routes.path, patch(shares, HELD_BY))
    lowered = accounts["loop"].patch(
        namespace.path("revisions", "hello"), {"metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}}
    )

    assert pinned.status == HTTPStatus.OK, pinned.message
    assert lowered.status == HTTPStatus.OK, lowered.message


@pytest.fixture
def called(plane: ControlPlane, receiver: Receiver, controller: Session, namespace: Namespace) -> Iterator[Receiver]:
    """A receiver that is asked what the registrations of the component match, in one namespace."""
    (body,) = (each for each in documents(COMPONENT) if "webhooks" in each)
    body["metadata"]["name"] = f"{namespace.name}.{body['metadata']['name']}"
    receiver.reply = allow
    for webhook in body["webhooks"]:
        webhook["clientConfig"] = receiver.client_config(webhook["clientConfig"]["service"]["path"])
        webhook["namespaceSelector"]["matchExpressions"].append(
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [namespace.name]}
        )
    register(plane.admin, body)

    def is_called() -> bool:
        controller.create(namespace.path("revisions"), OF_A_SERVICE, dryRun="All")
        return bool(receiver.calls)

    eventually(is_called)
    receiver.calls.clear()
    yield receiver
    unregister(plane.admin, body)


def allow(body: bytes, _path: str) -> tuple[int, bytes]:
    response = {"uid": json.loads(body)["request"]["uid"], "allowed": True}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    return 200, json.dumps(review).encode()


OF_A_SERVICE = knative_object("Revision", {}, labels={"serving.knative.dev/service": "hello"})
OF_NOBODY = knative_object("Revision", {}, labels={})


@pytest.mark.parametrize(("revision", "calls"), [(OF_A_SERVICE, ["/knative"]), (OF_NOBODY, [])])
def test_revisions_that_cause_a_call(
    called: Receiver, controller: Session, namespace: Namespace, revision: Wire, calls: list[str]
) -> None:
    assert controller.create(namespace.path("revisions"), revision).status == HTTPStatus.CREATED
    assert controller.patch(namespace.path("revisions", "hello"), labelled("c")).status == HTTPStatus.OK

    assert called.paths() == calls


@pytest.mark.parametrize(
    ("annotations", "write", "calls"),
    [
        (NO_HOLD, patch(MOVED), []),
        (NO_HOLD, patch(OLD_ALONE, HELD_BY), []),
        (HOLDS, patch(MOVED), ["/knative"]),
        (HOLDS, patch(None, None), ["/knative"]),
        (HOLDS, labelled("c"), []),
    ],
)
def test_writes_of_a_route_that_cause_a_call(
    called: Receiver,
    plane: ControlPlane,
    controller: Session,
    namespace: Namespace,
    annotations: Wire,
    write: Wire,
    calls: list[str],
) -> None:
    route = Routes(plane.admin, namespace)
    route.has(OLD_ALONE, annotations)

    assert controller.patch(route.path, write).status == HTTPStatus.OK

    assert called.paths() == calls


def test_an_outage_touches_nothing_but_what_is_held(
    called: Receiver, plane: ControlPlane, controller: Session, namespace: Namespace
) -> None:
    route = Routes(plane.admin, namespace)
    called.stop()

    assert controller.create(namespace.path("revisions"), OF_A_SERVICE).status == HTTPStatus.CREATED
    route.has(STOCK, NO_HOLD)
    assert controller.patch(route.path, patch(MOVED)).status == HTTPStatus.OK
    route.has(OLD_ALONE, HOLDS)
    assert controller.patch(route.path, labelled("c")).status == HTTPStatus.OK
    answer = controller.patch(route.path, patch(STOCK))
    assert 'failed calling webhook "routes.knative.stagegate.dev"' in answer.message
    assert plane.admin.delete(route.path).status == HTTPStatus.OK
