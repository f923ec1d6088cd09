"""What goes with its owner, and what goes with its namespace."""

from collections.abc import Callable

import pytest

from sandbox.demo.stack import Stack
from tests.integration.conftest import DOOMED
from tests.integration.place import ROS, SPAS, Place
from tests.integration.service import Service
from tests.integration.user import User
from tests.waiting import eventually


def with_spa(person: User, place: Place) -> str:
    """An RO and an SPA that it controls; the path of the SPA."""
    ro = person.create(place.path(ROS), place.rollout()).body
    spa = place.spa("hello-00002")
    spa["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "RolloutOrchestrator",
            "name": "hello",
            "uid": ro["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    answer = person.create(place.path(SPAS), spa)
    assert answer.done, answer.message
    return place.path(SPAS, "hello-00002")


def test_an_spa_goes_with_its_rollout(person: User, place: Place) -> None:
    spa = with_spa(person, place)

    assert person.delete(place.path(ROS, "hello")).done

    eventually(lambda: person.get(spa).status == 404, "the SPA is gone")


@pytest.mark.e2e
def test_in_the_foreground_the_rollout_goes_last(person: User, place: Place) -> None:
    spa = with_spa(person, place)

    answer = person.delete(place.path(ROS, "hello"), {"propagationPolicy": "Foreground"})

    assert "foregroundDeletion" in answer.body["metadata"]["finalizers"]
    eventually(lambda: person.get(place.path(ROS, "hello")).status == 404, "the rollout is gone")
    assert person.get(spa).status == 404


@pytest.mark.e2e
def test_an_orphan_stays(person: User, place: Place) -> None:
    spa = with_spa(person, place)

    person.delete(place.path(ROS, "hello"), {"propagationPolicy": "Orphan"})

    eventually(lambda: person.get(place.path(ROS, "hello")).status == 404, "the rollout is gone")
    assert "ownerReferences" not in person.get(spa).body["metadata"]


def test_an_spa_of_another_owner_stays(person: User, place: Place) -> None:
    with_spa(person, place)
    other = person.create(place.path(SPAS), place.spa("other-00001", service="other"))
    assert other.done

    person.delete(place.path(ROS, "hello"))

    eventually(lambda: person.get(place.path(SPAS, "hello-00002")).status == 404, "the SPA is gone")
    assert person.get(place.path(SPAS, "other-00001")).done


def test_a_finalizer_holds_a_rollout_until_it_is_taken_away(person: User, place: Place) -> None:
    path = place.path(ROS, "hello")
    person.create(place.path(ROS), place.rollout(finalizers=["example.com/hold"]))

    person.delete(path)
    held = person.get(path).body
    assert "deletionTimestamp" in held["metadata"]

    person.patch(path, {"metadata": {"finalizers": None}})
    assert person.get(path).status == 404


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_deletes_and_waits(person: User, place: Place) -> None:
    with_spa(person, place)

    printed = person.kubectl("delete", "rolloutorchestrator", "hello", "-n", place.namespace, "--timeout=30s")

    assert printed.out.startswith('rolloutorchestrator.serving.knative.dev "hello" deleted')
    assert person.get(place.path(ROS, "hello")).status == 404


def test_a_namespace_goes_with_the_rollouts_inside(
    running: Stack, person: User, admin: User, new_service: Callable[..., Service]
) -> None:
    service = new_service(demand=4, namespace=DOOMED)
    with service.observed() as observer:
        service.start("availability", ratio=25)
        service.carry(observer, "a rollout is on its way", lambda: len(observer.outcome().stages) >= 2)

    answer = admin.delete(f"/api/v1/namespaces/{DOOMED}")

    assert answer.done, answer.message
    eventually(lambda: admin.get(f"/api/v1/namespaces/{DOOMED}").status == 404, "the namespace is gone", within=60.0)
    assert person.get(service.place.path(ROS)).body["items"] == []
    assert running.failure() == ""
