"""The CRDs: what they keep, what they refuse, and what kubectl shows of them."""

import subprocess
from http import HTTPStatus
from typing import Any

import pytest

from tests.controlplane import ControlPlane
from tests.controlplane.session import Session
from tests.e2e.cluster import ROS, SPAS, Namespace, documents, rollout, spa

REVISION = {
    "revisionName": "string",
    "percent": "int64",
    "latestRevision": "boolean",
    "configurationName": "string",
    "tag": "string",
    "url": "string",
    "direction": "string",
    "targetReplicas": "int32",
    "minScale": "int32",
    "maxScale": "int32",
}
STATUS = {"observedGeneration": "int64", "conditions": "array", "annotations": "object"}

# The fields of upstream's own definitions, with their types or formats.
UPSTREAM: dict[str, dict[str, dict[str, str]]] = {
    SPAS: {
        "spec": {"stageMinScale": "int32", "stageMaxScale": "int32"},
        "status": {"desiredScale": "int32", "actualScale": "int32", "replicasTerminating": "int32", **STATUS},
    },
    ROS: {
        "spec": {
            "initialRevisions": "array",
            "targetRevisions": "array",
            "stageTargetRevisions": "array",
            "rolloutStrategy": "string",
            "targetFinishTime": "date-time",
        },
        "status": {"stageRevisionStatus": "array", **STATUS},
    },
}

LISTS = ["initialRevisions", "targetRevisions", "stageTargetRevisions"]

FULL_REVISION = {
    "revisionName": "hello-00001",
    "percent": 100,
    "latestRevision": True,
    "configurationName": "hello",
    "tag": "current",
    "url": "http://current.example.com",
    "direction": "up",
    "targetReplicas": 3,
    "minScale": 0,
    "maxScale": 0,
}


def crd(plural: str) -> dict[str, Any]:
    return next(body for body in documents("crds") if body["spec"]["names"]["plural"] == plural)


@pytest.mark.parametrize("plural", UPSTREAM)
@pytest.mark.parametrize("part", ["spec", "status"])
def test_the_fields_are_upstreams(plural: str, part: str) -> None:
    (version,) = crd(plural)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"][part]["properties"]

    def kinds(properties: dict[str, Any]) -> dict[str, str]:
        return {name: field.get("format", field["type"]) for name, field in properties.items()}

    assert kinds(schema) == UPSTREAM[plural][part]
    assert version["name"] == "v1"
    for name, field in schema.items():
        if "evision" in name and field["type"] == "array":
            assert kinds(field["items"]["properties"]) == REVISION


@pytest.mark.parametrize("plural", UPSTREAM)
def test_pruning_spares_the_definition_and_with_it_every_object(plural: str) -> None:
    annotations = crd(plural)["metadata"]["annotations"]

    assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    assert annotations["argocd.argoproj.io/sync-options"].split(",") == ["Prune=false", "Delete=false"]


@pytest.mark.parametrize(("plural", "short"), [(SPAS, "spa"), (ROS, "ro")])
def test_names_and_categories_are_upstreams(person: Session, plural: str, short: str) -> None:
    resources = person.get("/apis/serving.knative.dev/v1").body["resources"]

    (served,) = (resource for resource in resources if resource["name"] == plural)
    assert served["shortNames"] == [short]
    assert served["categories"] == ["all", "knative", "serving"]
    assert any(resource["name"] == f"{plural}/status" for resource in resources)


def test_every_field_of_an_ro_is_kept(person: Session, namespace: Namespace) -> None:
    spec = {
        "initialRevisions": [FULL_REVISION],
        "targetRevisions": [FULL_REVISION],
        "stageTargetRevisions": [FULL_REVISION],
        "rolloutStrategy": "availability",
        "targetFinishTime": "2030-01-01T00:00:00Z",
    }
    status = {
        "stageRevisionStatus": [FULL_REVISION],
        "observedGeneration": 1,
        "annotations": {"targets": "recorded"},
        "conditions": [
            {
                "type": "Ready",
                "status": "Unknown",
                "severity": "Info",
                "reason": "Why",
                "message": "What.",
                "lastTransitionTime": "2030-01-01T00:00:00Z",
            }
        ],
    }

    created = person.create(namespace.path(ROS), rollout("hello", spec), fieldValidation="Strict").body
    stored = person.update(namespace.path(ROS, "hello", "status"), created | {"status": status}).body

    assert (stored["spec"], stored["status"]) == (spec, status)
    assert stored["metadata"]["generation"] == 1


@pytest.mark.parametrize("absent", [None, {}])
def test_an_spa_needs_no_bounds(person: Session, namespace: Namespace, absent: dict[str, Any] | None) -> None:
    stored = person.create(namespace.path(SPAS), spa("hello-00001", absent)).body

    assert stored.get("spec") == absent


def test_upstreams_null_for_no_time_is_dropped(person: Session, namespace: Namespace) -> None:
    stored = person.create(
        namespace.path(ROS), rollout("hello", {"targetFinishTime": None, "rolloutStrategy": ""})
    ).body

    assert stored["spec"] == {"rolloutStrategy": ""}


@pytest.mark.parametrize(
    ("plural", "status"),
    [
        (SPAS, {"desiredScale": -1, "actualScale": 0, "replicasTerminating": 0}),
        (ROS, {"stageRevisionStatus": [{}, {"percent": 120, "direction": "sideways"}, {"percent": -20}]}),
    ],
    ids=["a pod autoscaler that does not know yet", "a recorded stage that broke the rules"],
)
def test_a_status_is_never_refused_for_what_was_observed(
    controller: Session, namespace: Namespace, plural: str, status: dict[str, Any]
) -> None:
    body = controller.create(namespace.path(plural), (spa if plural == SPAS else rollout)("hello")).body

    answer = controller.update(namespace.path(plural, "hello", "status"), body | {"status": status})

    assert answer.status == HTTPStatus.OK, answer.message
    assert answer.body["status"] == status


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "[0].revisionName: Required value"),
        ({"revisionName": "Hello"}, "must be a DNS subdomain, as a revision's name is [RO001]"),
        ({"revisionName": "hello..world"}, "must be a DNS subdomain, as a revision's name is [RO001]"),
        ({"revisionName": "hello", "direction": "sideways"}, "must be up, down or stay, or absent for up [RO004]"),
        ({"revisionName": "hello", "direction": "up down"}, "must be up, down or stay, or absent for up [RO004]"),
        ({"revisionName": "hello", "maxScale": 2**31}, "should be less than or equal to 2147483647"),
        ({"revisionName": "hello", "minScale": -(2**31) - 1}, "should be greater than or equal to -2147483648"),
    ],
)
def test_a_bad_entry_is_refused_whoever_writes(
    controller: Session, namespace: Namespace, key: str, entry: dict[str, Any], message: str
) -> None:
    answer = controller.create(namespace.path(ROS), rollout("hello", {key: [entry]}))

    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert message in answer.message


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("up", [{}, {"direction": ""}, {"direction": " UP"}])
def test_a_revision_does_not_go_up_and_down_at_once(
    controller: Session, namespace: Namespace, key: str, up: dict[str, str]
) -> None:
    entries = [
        {"revisionName": "hello-00001", "direction": "Down "},
        {"revisionName": "hello-00001", "percent": 100, **up},
    ]

    answer = controller.create(namespace.path(ROS), rollout("hello", {key: entries}))

    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
    (cause,) = answer.body["details"]["causes"]
    # Older servers print the type of the value too.
    assert cause | {"message": cause["message"].replace('"array": ', "")} == {
        "field": f"spec.{key}",
        "reason": "FieldValueInvalid",
        "message": "Invalid value: must not name a revision both as going up and as going down; "
        "keep one of the two entries [RO001]",
    }


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"stageMinScale": 5, "stageMaxScale": 3}, False),
        ({"stageMinScale": 3, "stageMaxScale": 3}, True),
        ({"stageMinScale": 5, "stageMaxScale": 0}, True),
        ({"stageMinScale": 0, "stageMaxScale": 0}, True),
        ({"stageMinScale": 5}, True),
        ({"stageMaxScale": 0}, True),
        ({"stageMinScale": -1}, False),
        ({"stageMaxScale": 2147483647}, True),
        ({"stageMaxScale": 2147483648}, False),
    ],
)
def test_bounds(controller: Session, namespace: Namespace, spec: dict[str, int], allowed: bool) -> None:
    answer = controller.create(namespace.path(SPAS), spa("hello-00001", spec))

    assert answer.status == (HTTPStatus.CREATED if allowed else HTTPStatus.UNPROCESSABLE_ENTITY), answer.message


def test_unknown_fields_are_pruned_and_told(person: Session, namespace: Namespace) -> None:
    body = spa("hello-00001", {"stageMinScale": 1, "minScale": 2})

    pruned = person.create(namespace.path(SPAS), body, fieldValidation="Warn", dryRun="All")
    strict = person.create(namespace.path(SPAS), body, fieldValidation="Strict")

    assert pruned.body["spec"] == {"stageMinScale": 1}
    assert pruned.warnings == ['unknown field "spec.minScale"']
    assert strict.status == HTTPStatus.BAD_REQUEST


def test_kubectl_shows_how_far_a_rollout_is(plane: ControlPlane, person: Session, namespace: Namespace) -> None:
    going_up = {"revisionName": "hello-00002", "percent": 34, "direction": "up"}
    spec = {
        "rolloutStrategy": "resourceutil",
        "targetRevisions": [{"revisionName": "hello-00002", "percent": 100}],
        "stageTargetRevisions": [{"revisionName": "hello-00001", "percent": 66, "direction": "down"}, going_up],
    }
    conditions = [{"type": "Ready", "status": "Unknown", "reason": "StageRevisionStart"}]
    created = person.create(namespace.path(ROS), rollout("hello", spec)).body
    person.update(namespace.path(ROS, "hello", "status"), created | {"status": {"conditions": conditions}})
    person.create(namespace.path(SPAS), spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 3}))

    rollouts = table(plane, namespace, "ro")
    autoscalers = table(plane, namespace, "spa")

    assert rollouts[0] == ["NAME", "READY", "REASON", "TARGET", "STAGE", "STRATEGY", "AGE"]
    assert rollouts[1][:-1] == ["hello", "Unknown", "StageRevisionStart", "hello-00002", "34", "resourceutil"]
    assert autoscalers[0] == ["NAME", "READY", "REASON", "MIN", "MAX", "DESIRED", "ACTUAL", "AGE"]
    assert autoscalers[1][:-1] == ["hello-00002", "1", "3"]


def table(plane: ControlPlane, namespace: Namespace, name: str) -> list[list[str]]:
    command = [str(plane.binaries.kubectl), f"--kubeconfig={plane.kubeconfig}", f"-n={namespace.name}", "get", name]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    return [line.split() for line in output.splitlines()]
