"""The webhook configurations on a real API server: what is called, what is spared, what happens without an answer."""

import base64
import copy
import json
import threading
import time
from http import HTTPStatus
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.session import Session
from tests.e2e.cluster import (
    API,
    ROS,
    SPAS,
    Namespace,
    cached,
    documents,
    eventually,
    refused,
    register,
    rollout,
    spa,
    unregister,
)
from tests.e2e.receiver import Receiver, as_stagegate
from tests.e2e.registered import MUTATE, VALIDATE, Registered
from tests.e2e.test_policies import BROKEN

RATIO = "rollout.knative.dev/over-consumption-ratio"
LABELS = {"serving.knative.dev/revision": "hello-00002", "serving.knative.dev/service": "hello"}
OWNER = {
    "apiVersion": API,
    "kind": "RolloutOrchestrator",
    "name": "hello",
    "uid": "8b957b78-6dfc-41d2-8495-af79711600b0",
    "controller": True,
    "blockOwnerDeletion": True,
}
COMPLETE_SPA = spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 3}, labels=LABELS, ownerReferences=[OWNER])
COMPLETE_RO = rollout(
    "hello",
    {"rolloutStrategy": "availability", "targetRevisions": [{"revisionName": "hello-00002", "percent": 100}]},
    labels={"serving.knative.dev/service": "hello"},
)

CREATES = {
    "a complete SPA": (SPAS, COMPLETE_SPA, [VALIDATE]),
    "an SPA with a name only": (SPAS, spa("hello-00002"), [MUTATE, VALIDATE]),
    "an SPA without its owner": (SPAS, COMPLETE_SPA | {"metadata": {"name": "hello-00002", "labels": LABELS}},
                                 [MUTATE, VALIDATE]),
    "an SPA without a maximum": (SPAS, COMPLETE_SPA | {"spec": {"stageMinScale": 1}}, [MUTATE, VALIDATE]),
    "a complete RO": (ROS, COMPLETE_RO, [VALIDATE]),
    "an RO without a strategy": (ROS, COMPLETE_RO | {"spec": {}}, [MUTATE, VALIDATE]),
    "an RO without its label": (ROS, COMPLETE_RO | {"metadata": {"name": "hello"}}, [MUTATE, VALIDATE]),
}  # fmt: skip
"""What is created, and the calls that it causes if a controller creates it."""


@pytest.mark.parametrize(("plural", "body", "calls"), CREATES.values(), ids=CREATES)
def test_a_controller_that_creates_something_complete_is_called_for_once(
    controller: Session, registered: Registered, plural: str, body: dict[str, Any], calls: list[str]
) -> None:
    assert controller.create(registered.namespace.path(plural), body).status == HTTPStatus.CREATED

    assert registered.receiver.paths() == calls


@pytest.mark.parametrize(("plural", "body", "_calls"), CREATES.values(), ids=CREATES)
def test_a_person_who_creates_anything_is_called_for_twice(
    person: Session, registered: Registered, plural: str, body: dict[str, Any], _calls: list[str]
) -> None:
    assert person.create(registered.namespace.path(plural), body).status == HTTPStatus.CREATED

    assert registered.receiver.paths() == [MUTATE, VALIDATE]


def test_a_dry_run_is_called_too_and_says_so(person: Session, registered: Registered) -> None:
    person.create(registered.namespace.path(SPAS), COMPLETE_SPA, dryRun="All")

    assert [call.path for call in registered.receiver.calls] == [MUTATE, VALIDATE]
    for call in registered.receiver.calls:
        assert call.request["dryRun"] is True
        assert call.query == "timeout=3s"


@pytest.mark.parametrize(
    ("writer", "complete"), [("person", [MUTATE, VALIDATE]), ("controller", [VALIDATE])], ids=["person", "controller"]
)
def test_updating_calls_only_for_what_is_judged(
    request: pytest.FixtureRequest, registered: Registered, writer: str, complete: list[str]
) -> None:
    session: Session = request.getfixturevalue(writer)
    path = registered.namespace.path(SPAS, "hello-00002")
    session.create(registered.namespace.path(SPAS), COMPLETE_SPA)

    def calls_of(patch: dict[str, Any]) -> list[str]:
        cached(session, path)
        registered.receiver.calls.clear()
        assert session.patch(path, patch).status == HTTPStatus.OK
        return registered.receiver.paths()

    assert calls_of({"metadata": {"annotations": {"note": "changed"}}}) == []
    assert calls_of({"metadata": {"finalizers": ["example.com/wait"]}}) == []
    assert calls_of({"spec": {"stageMinScale": 1}}) == []
    assert calls_of({"spec": {"stageMinScale": 2}}) == complete
    assert calls_of({"metadata": {"labels": {"team": "b"}}}) == complete
    assert calls_of({"metadata": {"ownerReferences": None}}) == [MUTATE, VALIDATE]
    assert calls_of({"metadata": {"annotations": {"note": None}}}) == []


def test_a_setting_that_a_person_changes_is_answered_by_the_call_that_refuses_nothing(
    person: Session, controller: Session, registered: Registered
) -> None:
    path = registered.namespace.path(ROS, "hello")
    person.create(registered.namespace.path(ROS), COMPLETE_RO)

    def calls_of(writer: Session, value: str | None) -> tuple[list[str], bool]:
        cached(writer, path)
        registered.receiver.calls.clear()
        answer = writer.patch(path, {"metadata": {"annotations": {RATIO: value}}})
        assert answer.status == HTTPStatus.OK
        return registered.receiver.paths(), any("[RO012]" in warning for warning in answer.warnings)

    assert calls_of(person, "fifty") == ([MUTATE], True)
    assert calls_of(person, "50") == ([MUTATE], False)
    assert calls_of(person, "50") == ([], False)
    assert calls_of(person, None) == ([], False)
    assert calls_of(controller, "fifty") == ([], False)


def test_a_write_to_the_status_and_a_delete_call_nobody(person: Session, registered: Registered) -> None:
    for plural, body in ((SPAS, COMPLETE_SPA), (ROS, COMPLETE_RO)):
        created = person.create(registered.namespace.path(plural), body).body
        registered.receiver.calls.clear()
        path = registered.namespace.path(plural, created["metadata"]["name"])

        status = person.update(f"{path}/status", created | {"status": {"observedGeneration": 1}})
        deleted = person.delete(path)

        assert (status.status, deleted.status) == (HTTPStatus.OK, HTTPStatus.OK)
        assert registered.receiver.paths() == []


def test_nothing_is_filled_in_on_the_way_out(person: Session, registered: Registered) -> None:
    """An object with a deletion timestamp goes without a mutating call."""
    path = registered.namespace.path(SPAS, "hello-00002")
    person.create(registered.namespace.path(SPAS), spa("hello-00002", finalizers=["example.com/wait"]))
    person.delete(path)
    cached(person, path)
    registered.receiver.calls.clear()

    assert person.patch(path, {"spec": {"stageMinScale": 2}}).status == HTTPStatus.OK

    assert registered.receiver.paths() == [VALIDATE]


def test_kube_system_is_not_called_for(person: Session, registered: Registered) -> None:
    assert person.create(Namespace("kube-system").path(SPAS), spa("hello-00002"), dryRun="All").status == (
        HTTPStatus.CREATED
    )

    assert registered.receiver.paths() == []


def test_a_controller_is_warned_where_a_person_is_refused(
    person: Session, controller: Session, registered: Registered
) -> None:
    body = rollout("hello", BROKEN["RO002"])

    answer = person.create(registered.namespace.path(ROS), body)
    warned = controller.create(registered.namespace.path(ROS), body)

    assert refused(answer)
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["spec.targetRevisions[0].targetReplicas"]
    assert warned.status == HTTPStatus.CREATED
    assert [warning for warning in warned.warnings if "[RO002]" in warning]


def test_without_the_webhook_nothing_is_filled_in_and_nothing_passes(
    person: Session, receiver: Receiver, registered: Registered
) -> None:
    person.create(registered.namespace.path(SPAS), COMPLETE_SPA)
    path = registered.namespace.path(SPAS, "hello-00002")
    receiver.stop()

    incomplete = person.create(registered.namespace.path(SPAS), spa("hello-00003"))
    changed = person.patch(path, {"spec": {"stageMinScale": 2}})
    annotated = person.patch(path, {"metadata": {"annotations": {"note": "changed", RATIO: "fifty"}}})
    reported = person.update(f"{path}/status", annotated.body | {"status": {"actualScale": 1}})

    # The mutating call is ignored, the validating one is not.
    assert incomplete.status == changed.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert 'failed calling webhook "validate.stagegate.dev"' in incomplete.message
    assert annotated.status == reported.status == person.delete(path).status == HTTPStatus.OK


@pytest.mark.parametrize("rule", BROKEN)
def test_without_the_webhook_the_policies_still_refuse(
    person: Session, receiver: Receiver, registered: Registered, rule: str
) -> None:
    receiver.stop()

    answer = person.create(registered.namespace.path(ROS), rollout("hello", BROKEN[rule]))

    assert refused(answer)
    assert f"[{rule}]" in answer.message


def test_without_the_webhook_the_crd_still_refuses_controllers_too(
    controller: Session, receiver: Receiver, registered: Registered
) -> None:
    receiver.stop()

    answer = controller.create(
        registered.namespace.path(SPAS), spa("hello-00002", {"stageMinScale": 5, "stageMaxScale": 3})
    )

    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "[SPA002]" in answer.message


@pytest.mark.parametrize(
    ("silent", "status"),
    [(MUTATE, HTTPStatus.CREATED), (VALIDATE, HTTPStatus.INTERNAL_SERVER_ERROR)],
    ids=["defaulting is skipped", "the write is refused"],
)
def test_a_webhook_that_does_not_answer_is_waited_for_three_seconds(
    person: Session, receiver: Receiver, registered: Registered, silent: str, status: HTTPStatus
) -> None:
    enough = threading.Event()

    def reply(body: bytes, path: str) -> tuple[int, bytes]:
        if path == silent:
            enough.wait(90)
        return as_stagegate(body, path)

    receiver.reply = reply
    started = time.monotonic()
    answer = person.create(registered.namespace.path(SPAS), spa("hello-00002"))
    took = time.monotonic() - started
    enough.set()

    assert answer.status == status
    assert 3.0 <= took < 60.0


def test_a_webhook_that_changes_the_object_afterwards_brings_the_first_one_back(
    plane: ControlPlane, person: Session, receiver: Receiver, registered: Registered
) -> None:
    """The second review adds nothing, since the same review gives the same response."""
    namespace = registered.namespace.name
    body = another_webhook(namespace, receiver.client_config("/other"))
    receiver.reply = lambda body, path: patching(body) if path == "/other" else as_stagegate(body, path)
    register(plane.admin, body)
    try:
        eventually(lambda: "seen" in annotations_after(person, registered))
        receiver.calls.clear()
        stored = person.create(registered.namespace.path(SPAS), spa("hello-00002")).body
    finally:
        unregister(plane.admin, body)

    assert receiver.paths() == [MUTATE, "/other", MUTATE, VALIDATE]
    assert stored["metadata"]["labels"] == {"serving.knative.dev/revision": "hello-00002"}
    first, second = (call.request["object"]["metadata"] for call in receiver.calls if call.path == MUTATE)
    assert "labels" not in first
    assert second["labels"] == stored["metadata"]["labels"]


def another_webhook(namespace: str, client_config: dict[str, str]) -> dict[str, Any]:
    """A mutating webhook of somebody else, called after Stagegate's because of its name."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": f"{namespace}.zz.example.com"},
        "webhooks": [
            {
                "name": "zz.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": client_config,
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [
                    {
                        "apiGroups": ["serving.knative.dev"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": [SPAS],
                    }
                ],
            }
        ],
    }


def patching(body: bytes) -> tuple[int, bytes]:
    """Allow, and add an annotation."""
    patch = [{"op": "add", "path": "/metadata/annotations", "value": {"seen": "yes"}}]
    response = {
        "uid": json.loads(body)["request"]["uid"],
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
    }
    return 200, json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    ).encode()


def annotations_after(person: Session, registered: Registered) -> dict[str, str]:
    created = person.create(registered.namespace.path(SPAS), spa("probe"), dryRun="All").body
    annotations: dict[str, str] = created["metadata"].get("annotations", {})
    return annotations


def test_every_default_of_the_server_is_written_out(
    plane: ControlPlane, receiver: Receiver, namespace: Namespace
) -> None:
    """What is stored is what stands in the manifests, so that a sync never sees a difference."""
    for body in [*documents("webhooks"), *documents("policies")]:
        written = copy.deepcopy(body)
        written["metadata"]["name"] = f"{namespace.name}.{body['metadata']['name']}"
        stored = register(plane.admin, written).body
        unregister(plane.admin, written)

        key = "webhooks" if "webhooks" in body else "spec"
        assert stored[key] == written[key]
