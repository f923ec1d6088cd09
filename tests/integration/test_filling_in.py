"""What the webhook fills in when an object is written through the API server."""

import pytest

from tests.integration.place import REVISION_LABEL, ROS, SERVICE_LABEL, SPAS, Place
from tests.integration.user import User, Wire
from tests.waiting import eventually


def with_rollout(person: User, place: Place) -> Wire:
    """Write an RO and wait until the webhook has received it; the RO as stored."""
    answer = person.create(place.path(ROS), place.rollout())
    assert answer.done, answer.message
    rehearsal = place.spa("hello-00001")
    eventually(
        lambda: "spec" in person.create(place.path(SPAS), rehearsal, dryRun="All").body,
        "the webhook knows the rollout",
    )
    found: Wire = answer.body
    return found


def test_an_spa_with_only_a_name_and_its_service_comes_back_complete(person: User, place: Place) -> None:
    ro = with_rollout(person, place)

    stored = person.create(place.path(SPAS), place.spa("hello-00002")).body

    assert stored["spec"] == {"stageMinScale": 2, "stageMaxScale": 10}
    assert stored["metadata"]["labels"] == {SERVICE_LABEL: "hello", REVISION_LABEL: "hello-00002"}
    assert stored["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "RolloutOrchestrator",
            "name": "hello",
            "uid": ro["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_without_a_rollout_nothing_is_filled_in_from_it_and_a_warning_says_so(person: User, place: Place) -> None:
    answer = person.create(place.path(SPAS), place.spa("hello-00002"))

    assert answer.done
    assert "spec" not in answer.body
    assert "ownerReferences" not in answer.body["metadata"]
    assert answer.body["metadata"]["labels"] == {SERVICE_LABEL: "hello", REVISION_LABEL: "hello-00002"}
    assert any("RolloutOrchestrator" in warning for warning in answer.warnings), answer.warnings


def test_what_is_stated_stays_as_it_is(person: User, place: Place) -> None:
    with_rollout(person, place)

    stored = person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 0})).body

    assert stored["spec"] == {"stageMinScale": 0, "stageMaxScale": 10}


def test_a_rollout_gets_its_strategy_and_its_label(person: User, place: Place) -> None:
    stored = person.create(place.path(ROS), place.rollout()).body

    assert stored["spec"]["rolloutStrategy"] == "availability"
    assert stored["metadata"]["labels"] == {SERVICE_LABEL: "hello"}


def test_what_the_webhook_filled_in_belongs_to_no_manager(person: User, place: Place) -> None:
    with_rollout(person, place)
    person.apply(place.path(SPAS, "hello-00002"), place.spa("hello-00002"), "jane")

    other = person.apply(
        place.path(SPAS, "hello-00002"), place.object(SPAS, "hello-00002", {"stageMaxScale": 7}), "another"
    )

    assert other.done, other.message
    assert other.body["spec"] == {"stageMinScale": 2, "stageMaxScale": 7}


@pytest.mark.usefixtures("needs_kubectl")
def test_a_dry_run_shows_what_would_be_filled_in_and_stores_nothing(person: User, place: Place) -> None:
    with_rollout(person, place)

    shown = person.kubectl(
        "apply", "-f", "-", "--dry-run=server", "-o", "jsonpath={.spec}", stdin=place.spa("hello-00002")
    )

    assert (shown.code, shown.err) == (0, "")
    assert shown.out == '{"stageMaxScale":10,"stageMinScale":2}'
    assert person.get(place.path(SPAS, "hello-00002")).status == 404


@pytest.mark.usefixtures("needs_kubectl")
def test_the_same_file_applied_twice_is_unchanged(person: User, place: Place) -> None:
    with_rollout(person, place)

    first = person.kubectl("apply", "-f", "-", stdin=place.spa("hello-00002"))
    second = person.kubectl("apply", "-f", "-", stdin=place.spa("hello-00002"))

    assert first.out == "stagepodautoscaler.serving.knative.dev/hello-00002 created\n"
    assert (second.code, second.out) == (0, "stagepodautoscaler.serving.knative.dev/hello-00002 unchanged\n")


@pytest.mark.usefixtures("needs_kubectl")
def test_a_rollout_applied_twice_is_unchanged(person: User, place: Place) -> None:
    first = person.kubectl("apply", "-f", "-", stdin=place.rollout())
    second = person.kubectl("apply", "-f", "-", stdin=place.rollout())

    assert first.out == "rolloutorchestrator.serving.knative.dev/hello created\n"
    assert (second.code, second.out) == (0, "rolloutorchestrator.serving.knative.dev/hello unchanged\n")


def test_a_namespace_of_the_system_is_left_alone(admin: User) -> None:
    system = Place("stagegate-system")

    answer = admin.create(system.path(ROS), system.rollout(), dryRun="All")

    assert answer.done, answer.message
    assert "rolloutStrategy" not in answer.body["spec"]
