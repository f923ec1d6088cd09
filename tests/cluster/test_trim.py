"""Trimming: what is left of an object."""

import json
from typing import Any

import pytest

from webhook.cluster.trim import Trim, identity, only, whole, with_managers

FULL: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "a",
        "namespace": "ns",
        "uid": "u",
        "resourceVersion": "1",
        "labels": {"x": "y"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
        "managedFields": [{"manager": "m"}],
        "creationTimestamp": "t",
    },
    "spec": {"containers": [{"name": "c"}], "replicas": 0},
    "status": {"phase": "Running"},
}
IDENTITY = {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1", "labels": {"x": "y"}}


@pytest.mark.parametrize(
    ("trim", "left"),
    [
        (only(), {"metadata": IDENTITY}),
        (only("metadata.annotations"), {"metadata": {**IDENTITY, "annotations": {"mine": "1"}}}),
        (identity, {"metadata": {key: value for key, value in IDENTITY.items() if key != "labels"}}),
        (only("status.phase"), {"metadata": IDENTITY, "status": {"phase": "Running"}}),
        (only("spec.replicas", "spec.absent", "absent.x"), {"metadata": IDENTITY, "spec": {"replicas": 0}}),
        (
            whole,
            {
                **FULL,
                "metadata": {**IDENTITY, "annotations": {"mine": "1"}, "creationTimestamp": "t"},
            },
        ),
    ],
)
def test_rows(trim: Trim, left: dict[str, Any]) -> None:
    before = str(FULL)
    assert trim(FULL) == left
    assert trim(left) == left
    assert str(FULL) == before, "what came in is not changed"


SPEAKING: dict[str, Any] = {
    "metadata": IDENTITY,
    "status": {
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "R",
                "message": "m",
                "lastTransitionTime": "t",
                "severity": "",
            },
            {"type": "Active", "status": "True", "lastTransitionTime": "t"},
            {"type": "Initialized", "status": "Unknown", "lastTransitionTime": "t"},
        ],
        "scale": 1,
    },
}
INITIALIZED = {"type": "Initialized", "status": "Unknown"}
READY = {"type": "Ready", "status": "False", "reason": "R", "message": "m"}


@pytest.mark.parametrize(
    ("trim", "status"),
    [
        (only(conditions=["Ready"]), {"conditions": [READY]}),
        (
            only("status.scale", conditions=["Ready", "Initialized"]),
            {"scale": 1, "conditions": [INITIALIZED, READY]},
        ),
        (only("status.scale", conditions=["Other"]), {"scale": 1}),
    ],
)
def test_of_conditions_those_asked_for_are_kept_without_their_times(trim: Trim, status: dict[str, Any]) -> None:
    left = trim(SPEAKING)
    assert left == {"metadata": IDENTITY, "status": status}
    assert trim(left) == left


@pytest.mark.parametrize("status", [None, {}, {"conditions": None}, {"conditions": []}])
def test_an_object_without_conditions_is_left_without(status: Any) -> None:
    assert only(conditions=["Ready"])({"metadata": IDENTITY, "status": status}) == {"metadata": IDENTITY}


def test_of_the_managers_the_members_of_the_spec_that_each_owns_are_kept() -> None:
    entries = [
        {"manager": "loop", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
        {"manager": "git", "operation": "Apply", "fieldsV1": {"f:spec": {"f:low": {}}, "f:metadata": {}}, "time": "t"},
        {"manager": "git", "operation": "Update", "fieldsV1": {"f:spec": {"f:high": {}}}},
        {"manager": "edit", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
    ]
    trimmed = with_managers({"metadata": {"name": "a", "managedFields": entries}})
    assert trimmed["metadata"]["managedFields"] == [
        {"manager": "edit"},
        {"manager": "git", "fieldsV1": {"f:spec": {"f:low": {}, "f:high": {}}}},
    ]
    assert with_managers(trimmed) == trimmed


def test_what_is_kept_is_a_copy() -> None:
    kept = whole(FULL)
    kept["spec"]["containers"].append("x")
    assert FULL["spec"]["containers"] == [{"name": "c"}]


def decoded() -> Any:
    """An RO as it comes over the wire, each time of strings of its own."""
    return json.loads(
        """{"metadata": {"name": "hello-ro", "namespace": "team-a", "uid": "6f1c-22", "resourceVersion": "900100",
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"example.com/team": "team-red"}},
        "spec": {"targetRevisions": [{"revisionName": "hello-00001"}], "targetFinishTime": "2026-01-01T00:10:00Z"},
        "status": {"conditions": [{"type": "ReadyOne", "message": "a message", "lastTransitionTime": "2026-01-01T1"}]}}
        """
    )


def strings(value: Any, path: str = "") -> dict[str, str]:
    """Every string in a JSON value, keys too, by where it stands."""
    if isinstance(value, dict):
        inner = {where: text for key, one in value.items() for where, text in strings(one, f"{path}.{key}").items()}
        return {f"{path}.{key}#": key for key in value} | inner
    if isinstance(value, list):
        return {where: text for one in value for where, text in strings(one, f"{path}[]").items()}
    return {path: value}


@pytest.mark.parametrize("trim", [whole, only("metadata.creationTimestamp", "spec", "status")])
def test_keys_names_and_labels_are_shared_and_nothing_else(trim: Trim) -> None:
    first, second = strings(trim(decoded())), strings(trim(decoded()))
    assert first == second
    shared = {where for where, text in first.items() if text is second[where]}
    assert {where for where in shared if not where.endswith("#")} == {
        ".metadata.name",
        ".metadata.namespace",
        ".metadata.labels.example.com/team",
        ".spec.targetRevisions[].revisionName",
    }
    assert {where for where in first if where.endswith("#")} <= shared
