"""What ``kubectl get`` prints: the columns of the CRDs."""

from typing import Any

import pytest

from tests.integration.place import ROS, SPAS, Place, entry
from tests.integration.user import User

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def table(person: User, path: str) -> dict[str, Any]:
    """The cells of the only row, by name of column."""
    body = person.get(path, accept=TABLE).body
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    (row,) = body["rows"]
    return dict(zip([column["name"] for column in body["columnDefinitions"]], row["cells"], strict=True))


def test_columns_of_an_spa(person: User, place: Place) -> None:
    person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 4}))
    status = {
        "desiredScale": 2,
        "actualScale": 1,
        "replicasTerminating": 3,
        "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Because"}],
    }
    person.patch(place.path(SPAS, "hello-00002", "status"), {"status": status})

    cells = table(person, place.path(SPAS))

    assert cells.pop("Age")
    assert cells == {
        "Name": "hello-00002",
        "Ready": "Unknown",
        "Reason": "Because",
        "Min": 1,
        "Max": 4,
        "Desired": 2,
        "Actual": 1,
        "Terminating": 3,
    }


def test_columns_of_a_rollout(person: User, place: Place) -> None:
    rollout = place.rollout(strategy="resourceutil")
    rollout["spec"]["stageTargetRevisions"] = [
        entry("hello-00001", 90, direction="down"),
        entry("hello-00002", 10, direction="up"),
    ]
    person.create(place.path(ROS), rollout)

    cells = table(person, place.path(ROS))

    assert {name: cells[name] for name in ("Name", "Target", "Stage", "Strategy")} == {
        "Name": "hello",
        "Target": "hello-00002",
        "Stage": 10,
        "Strategy": "resourceutil",
    }


def test_what_is_absent_leaves_its_cell_empty(person: User, place: Place) -> None:
    person.create(place.path(SPAS), place.spa("hello-00002"))

    cells = table(person, place.path(SPAS))

    assert (cells["Min"], cells["Max"], cells["Reason"]) == (None, None, None)


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_prints_the_columns(person: User, place: Place) -> None:
    person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 4}))

    printed = person.kubectl("get", "stagepodautoscalers", "-n", place.namespace)

    header, row = printed.out.splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "MIN", "MAX", "DESIRED", "ACTUAL", "AGE"]
    assert row.split()[:3] == ["hello-00002", "1", "4"]


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_knows_the_short_names(person: User, place: Place) -> None:
    person.create(place.path(SPAS), place.spa("hello-00002"))
    person.create(place.path(ROS), place.rollout())

    printed = person.kubectl("get", "spa,ro", "-n", place.namespace, "-o", "name")

    assert printed.out.split() == [
        "stagepodautoscaler.serving.knative.dev/hello-00002",
        "rolloutorchestrator.serving.knative.dev/hello",
    ]
