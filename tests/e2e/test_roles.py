"""The roles of the manifests: every right is used in a run of rollouts, and nothing is asked for beyond them."""

import fnmatch
import json
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest

from certs.secret_store import AUTHORITY_SUFFIX
from sandbox.autoscaler import Pace
from sandbox.demo.knative import Knative
from sandbox.demo.stack import LOOP, WEBHOOK, Stack
from sandbox.workloads import GRACE_ANNOTATION, HANG_ANNOTATION
from tests.controlplane import Binaries, ControlPlane
from tests.controlplane.session import Session
from tests.e2e.cluster import ROS, SPAS, Namespace, documents, eventually, register, rollout, spa
from tests.e2e.receiver import Receiver

NAMESPACE = Namespace("default")
OLD = {"revisionName": "hello-00001", "percent": 100, "latestRevision": False, "minScale": 2, "maxScale": 10}
GRACE = ["--spa-grace", "2"]
NEW = {"revisionName": "hello-00002", "percent": 100, "latestRevision": True, "minScale": 2, "maxScale": 10}
POD_AUTOSCALERS = "/apis/autoscaling.internal.knative.dev/v1alpha1/namespaces/default/podautoscalers"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/stagegate-system/leases/stagegate-loop"
CERTS = "stagegate-certs"
AUTHORITY = CERTS + AUTHORITY_SUFFIX
OWNER_CHECK = "OwnerReferencesPermissionEnforcement"
"""On in some distributions: who names an owner that blocks its deletion needs a right to that owner."""
RATIO = "rollout.knative.dev/over-consumption-ratio"


class Right(NamedTuple):
    """One verb on one resource, ``resource.group`` or ``resource.group/subresource``."""

    verb: str
    resource: str


# Rights that no request in a run of minutes shows, and why they are there.
UNSEEN = {
    Right("update", "rolloutorchestrators.serving.knative.dev/finalizers"): "the API server asks for it by itself",
    Right("patch", "events"): "a repetition is counted after five minutes",
}


def granted(account: str) -> set[Right]:
    """What the roles in the manifests give an account."""
    name = account.rpartition(":")[2]
    rules = [
        rule
        for body in documents("rbac")
        if body["kind"] in ("Role", "ClusterRole") and body["metadata"]["name"].startswith(name)
        for rule in body["rules"]
    ]
    return {
        Right(verb, full_name(group, *resource.partition("/")[::2]))
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def full_name(group: str, resource: str, subresource: str = "") -> str:
    name = f"{resource}.{group}" if group else resource
    return f"{name}/{subresource}" if subresource else name


class Run(NamedTuple):
    """The control plane after a run, and what its API server had logged of the two accounts by then."""

    plane: ControlPlane
    used: dict[str, set[Right]]
    forbidden: list[str]


@pytest.fixture(scope="module")
def run(binaries_with_controller_manager: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with ExitStack() as ends:
        plane = ends.enter_context(
            ControlPlane.start(
                binaries=binaries_with_controller_manager, controller_manager=True, plugins=[OWNER_CHECK]
            )
        )
        folder = tmp_path_factory.mktemp("stack")
        stack = ends.enter_context(Stack(plane, folder))
        stack.install()
        meddler = Meddler(plane)
        meddler.register(ends.enter_context(Receiver(folder, meddler.reply)))
        stack.start_webhook()
        stack.start_autoscaler(Pace(), 0.1)
        stack.start_loop(GRACE)
        try:
            play(plane, stack)
        except AssertionError as stuck:
            raise AssertionError(f"{stuck}; refused so far: {read(plane).forbidden}") from stuck
        yield read(plane)


def play(plane: ControlPlane, stack: Stack) -> None:
    """A rollout with pods that hang and somebody who meddles, an orphan, and a second term of office."""
    admin, knative = plane.admin, Knative(stack.client, "default", "hello", 2)
    knative.make_node()
    for entry in (OLD, NEW):
        knative.make_revision(entry)
    knative.make_pod_autoscaler(OLD)
    old = f"{POD_AUTOSCALERS}/hello-00001"
    admin.patch(old, {"metadata": {"annotations": {HANG_ANNOTATION: "true", GRACE_ANNOTATION: "1"}}})
    eventually(lambda: admin.get(old).body.get("status", {}).get("actualScale") == 2)
    spec = {"initialRevisions": [OLD], "targetRevisions": [NEW], "rolloutStrategy": "resourceutil"}
    admin.create(NAMESPACE.path(ROS), rollout("hello", spec, annotations={RATIO: "50"}))
    eventually(lambda: admin.get(NAMESPACE.path(SPAS, "hello-00002")).status == HTTPStatus.OK)
    knative.make_pod_autoscaler(NEW)
    eventually(lambda: is_ready(admin), within=90)

    admin.create(NAMESPACE.path(SPAS), spa("hello-00009", labels={"serving.knative.dev/service": "hello"}))
    eventually(lambda: admin.get(NAMESPACE.path(SPAS, "hello-00009")).status == HTTPStatus.NOT_FOUND, within=60)

    assert stack.loop is not None
    transitions = admin.get(LEASE).body["spec"]["leaseTransitions"]
    stack.loop.stop()
    stack.start_loop(GRACE)
    eventually(lambda: admin.get(LEASE).body["spec"]["leaseTransitions"] > transitions, within=60)


def is_ready(admin: Session) -> bool:
    conditions = admin.get(NAMESPACE.path(ROS, "hello")).body.get("status", {}).get("conditions", [])
    return any((condition["type"], condition["status"]) == ("Ready", "True") for condition in conditions)


class Meddler:
    """Somebody who writes to the very object that the loop is just writing to, once for each kind.

    An API server asks the webhooks before it stores; so the loop's write always comes too late.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._done: set[str] = set()

    def reply(self, body: bytes, _path: str) -> tuple[int, bytes]:
        request = json.loads(body)["request"]
        plural, name = request["resource"]["resource"], request["name"]
        if plural not in self._done:
            self._done.add(plural)
            with self._plane.session("jane") as jane:
                jane.patch(NAMESPACE.path(plural, name), {"metadata": {"annotations": {"note": "meddled"}}})
        return 200, json.dumps(allowed(request["uid"])).encode()

    def register(self, receiver: Receiver) -> None:
        register(
            self._plane.admin,
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "meddler.example.com"},
                "webhooks": [
                    {
                        "name": "meddler.example.com",
                        "admissionReviewVersions": ["v1"],
                        "sideEffects": "None",
                        "clientConfig": receiver.client_config("/meddle"),
                        "matchConditions": [{"name": "loop", "expression": f"request.userInfo.username == '{LOOP}'"}],
                        "rules": [
                            {
                                "apiGroups": ["serving.knative.dev"],
                                "apiVersions": ["v1"],
                                "operations": ["UPDATE"],
                                "resources": [ROS, f"{ROS}/status", SPAS, f"{SPAS}/status"],
                            }
                        ],
                    }
                ],
            },
        )


def allowed(uid: str) -> dict[str, Any]:
    response = {"uid": uid, "allowed": True}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def read(plane: ControlPlane) -> Run:
    used: dict[str, set[Right]] = {}
    forbidden = []
    for event in plane.audit_events():
        user, reference = event["user"]["username"], event.get("objectRef")
        if user not in (LOOP, WEBHOOK) or reference is None:
            continue
        group, subresource = reference.get("apiGroup", ""), reference.get("subresource", "")
        right = Right(event["verb"], full_name(group, reference["resource"], subresource))
        used.setdefault(user, set()).add(right)
        if event.get("responseStatus", {}).get("code") == HTTPStatus.FORBIDDEN:
            forbidden.append(f"{user} {right.verb} {right.resource}")
    return Run(plane, used, forbidden)


def test_nothing_is_asked_for_that_is_not_granted(run: Run) -> None:
    assert run.forbidden == []


@pytest.mark.parametrize("account", [LOOP, WEBHOOK])
def test_every_right_is_used(run: Run, account: str) -> None:
    assert granted(account) - run.used[account] - UNSEEN.keys() == set()


@pytest.mark.parametrize("account", [LOOP, WEBHOOK])
def test_no_right_is_for_everything(account: str) -> None:
    assert [right for right in granted(account) if fnmatch.fnmatch(f"{right.verb} {right.resource}", "*[*]*")] == []


def secrets(name: str) -> str:
    """The question a reflector asks for one Secret; for all of them without a name."""
    return f"/api/v1/namespaces/stagegate-system/secrets{f'?fieldSelector=metadata.name%3D{name}' if name else ''}"


@pytest.mark.parametrize(
    ("account", "path", "status"),
    [
        (WEBHOOK, secrets(CERTS), HTTPStatus.OK),
        (WEBHOOK, secrets(AUTHORITY), HTTPStatus.FORBIDDEN),
        (WEBHOOK, f"{secrets('')}/{AUTHORITY}", HTTPStatus.FORBIDDEN),
        (WEBHOOK, f"{secrets('')}/{CERTS}", HTTPStatus.FORBIDDEN),
        (WEBHOOK, secrets(""), HTTPStatus.FORBIDDEN),
        (LOOP, secrets(CERTS), HTTPStatus.OK),
        (LOOP, secrets(AUTHORITY), HTTPStatus.OK),
        (LOOP, f"{secrets('')}/{AUTHORITY}", HTTPStatus.OK),
        (LOOP, secrets(""), HTTPStatus.FORBIDDEN),
        (LOOP, secrets("another"), HTTPStatus.FORBIDDEN),
    ],
)
def test_the_authoritys_key_is_the_loops_alone(run: Run, account: str, path: str, status: HTTPStatus) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": AUTHORITY}}
    run.plane.admin.create(secrets(""), body)
    with run.plane.session(account) as session:
        answer = session.get(path)
    assert answer.status == status, answer.message
