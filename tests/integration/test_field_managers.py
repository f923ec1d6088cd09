"""Who owns which field: server-side apply by several managers."""

from typing import Any

import pytest

from tests.integration.place import CONFIG_MAPS, ROS, SPAS, Place
from tests.integration.user import User


def managers(wire: dict[str, Any]) -> dict[str, str]:
    return {entry["manager"]: entry["operation"] for entry in wire["metadata"]["managedFields"]}


def test_two_managers_of_different_fields_do_not_conflict(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")

    first = person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")
    second = person.apply(path, place.object(SPAS, "hello-00002", {"stageMaxScale": 4}), "platform")

    assert (first.status, second.status) == (201, 200)
    assert second.body["spec"] == {"stageMinScale": 1, "stageMaxScale": 4}
    assert managers(second.body) == {"git": "Apply", "platform": "Apply"}


def test_the_same_field_is_a_conflict_that_names_field_and_manager(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")

    answer = person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 2}), "platform")

    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "git": .spec.stageMinScale'
    assert answer.causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "git"', "field": ".spec.stageMinScale"}
    ]


def test_the_same_value_is_shared_without_a_conflict(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")

    shared = person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "platform")

    assert shared.status == 200
    assert managers(shared.body) == {"git": "Apply", "platform": "Apply"}


def test_force_takes_the_field_over(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")

    taken = person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 2}), "platform", force="true")

    assert taken.body["spec"] == {"stageMinScale": 2}
    assert managers(taken.body) == {"platform": "Apply"}


def test_a_field_that_its_only_manager_leaves_out_is_removed(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1, "stageMaxScale": 4}), "git")

    answer = person.apply(path, place.object(SPAS, "hello-00002", {"stageMaxScale": 4}), "git")

    assert answer.body["spec"] == {"stageMaxScale": 4}


def test_an_update_owns_what_it_changes(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")

    person.patch(path, {"spec": {"stageMaxScale": 4}}, fieldManager="hand")
    answer = person.apply(path, place.object(SPAS, "hello-00002", {"stageMinScale": 1, "stageMaxScale": 5}), "git")

    assert answer.message == (
        'Apply failed with 1 conflict: conflict with "hand" using serving.knative.dev/v1: .spec.stageMaxScale'
    )


def test_the_same_apply_again_changes_nothing(person: User, place: Place) -> None:
    path = place.path(SPAS, "hello-00002")
    wire = place.object(SPAS, "hello-00002", {"stageMinScale": 1})

    first = person.apply(path, wire, "git").body
    second = person.apply(path, wire, "git").body

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_says_how_to_solve_a_conflict(person: User, place: Place) -> None:
    person.apply(place.path(SPAS, "hello-00002"), place.object(SPAS, "hello-00002", {"stageMinScale": 1}), "git")
    wire = place.object(SPAS, "hello-00002", {"stageMinScale": 2})

    printed = person.kubectl("apply", "--server-side", "-f", "-", stdin=wire)

    assert printed.code == 1
    assert 'conflict with "git": .spec.stageMinScale' in printed.err
    assert "Please review the fields above--they currently have other managers." in printed.err
    assert "--force-conflicts" in printed.err


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_applies_server_side(person: User, place: Place) -> None:
    printed = [
        person.kubectl("apply", "--server-side", "-f", "-", stdin=place.rollout()).out,
        person.kubectl("apply", "--server-side", "-f", "-", stdin=place.rollout()).out,
    ]

    assert printed == ["rolloutorchestrator.serving.knative.dev/hello serverside-applied\n"] * 2
    stored = person.get(place.path(ROS, "hello")).body
    assert managers(stored)["kubectl"] == "Apply"


@pytest.mark.e2e
@pytest.mark.usefixtures("needs_kubectl")
def test_a_kind_of_kubernetes_itself_is_applied_too(person: User, place: Place) -> None:
    wire = {**place.object(CONFIG_MAPS, "settings"), "data": {"a": "1"}}

    assert person.kubectl("apply", "-f", "-", stdin=wire).out == "configmap/settings created\n"
    assert person.kubectl("apply", "-f", "-", stdin=wire).out == "configmap/settings unchanged\n"
    wire["data"] = {"b": "2"}
    assert person.kubectl("apply", "-f", "-", stdin=wire).out == "configmap/settings configured\n"
    assert person.get(place.path(CONFIG_MAPS, "settings")).body["data"] == {"b": "2"}
