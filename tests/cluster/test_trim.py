"""Trimming: what is left of an object."""

from typing import Any

import pytest

from webhook.cluster.trim import Trim, only, whole

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


def test_what_is_kept_is_a_copy() -> None:
    kept = whole(FULL)
    kept["spec"]["containers"].append("x")
    assert FULL["spec"]["containers"] == [{"name": "c"}]


def test_equal_texts_are_one() -> None:
    first, second = (whole({"metadata": {"name": "".join(["hello-", "00001"])}}) for _ in range(2))
    assert first["metadata"]["name"] is second["metadata"]["name"]
