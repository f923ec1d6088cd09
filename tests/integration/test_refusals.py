"""What is refused, in which words, and to whom."""

from collections.abc import Callable

import pytest

from tests.controlplane.response import Response
from tests.integration.conftest import UPSTREAM
from tests.integration.place import ROS, SPAS, Place, entry
from tests.integration.user import User
from tests.waiting import eventually

CROSSED = {"stageMinScale": 5, "stageMaxScale": 3}
FINDING = "spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3) [SPA002]"


def test_a_minimum_above_the_maximum_is_refused_and_nothing_is_stored(person: User, place: Place) -> None:
    answer = person.create(place.path(SPAS), place.spa("hello-00002", CROSSED))

    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert FINDING in answer.message
    assert person.get(place.path(SPAS, "hello-00002")).status == 404


def test_every_finding_is_a_cause_that_is_whole_by_itself(person: User, place: Place) -> None:
    rollout = place.rollout(strategy="sideways")
    rollout["spec"]["targetRevisions"][0] |= {"percent": 90, "minScale": 12}

    answer = person.create(place.path(ROS), rollout)

    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    found = {(cause["field"], cause["message"].partition("[")[2].partition("]")[0]) for cause in answer.causes}
    assert found == {
        ("spec.rolloutStrategy", "RO009"),
        ("spec.targetRevisions[0].minScale", "RO003"),
        ("spec.targetRevisions", "RO008"),
    }
    assert all("; " in cause["message"] for cause in answer.causes), "the way out is missing"


def test_what_is_only_a_warning_is_told_beside_a_refusal(person: User, place: Place) -> None:
    rollout = place.rollout(strategy="sideways")
    rollout["spec"]["targetRevisions"][0]["targetReplicas"] = 11

    answer = person.create(place.path(ROS), rollout)

    assert answer.status == 403
    assert any("[RO010]" in warning for warning in answer.warnings), answer.warnings


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_prints_the_finding_and_the_way_out(person: User, place: Place) -> None:
    printed = person.kubectl("apply", "-f", "-", stdin=place.spa("hello-00002", CROSSED))

    assert printed.code == 1
    head, *findings = [line for line in printed.err.splitlines() if not line.startswith("Warning: ")]
    assert head.startswith("Error from server (Forbidden): ")
    assert head.endswith('StagePodAutoscaler.serving.knative.dev "hello-00002" is refused:')
    assert findings == [f"{FINDING}; lower it, or raise spec.stageMaxScale (0 stands for no limit)"]
    assert printed.out == ""


@pytest.mark.usefixtures("needs_kubectl")
def test_a_finding_is_also_refused_under_a_dry_run(person: User, place: Place) -> None:
    printed = person.kubectl("apply", "-f", "-", "--dry-run=server", stdin=place.spa("hello-00002", CROSSED))

    assert printed.code == 1
    assert "[SPA002]" in printed.err


@pytest.mark.parametrize("who", ["upstream", "loop_account"])
def test_a_controller_is_warned_where_a_person_is_refused(
    who: str, request: pytest.FixtureRequest, person: User, place: Place
) -> None:
    controller: User = request.getfixturevalue(who)
    person.create(place.path(ROS), place.rollout())
    patch = {"spec": {"rolloutStrategy": "sideways"}}

    refused = person.patch(place.path(ROS, "hello"), patch)
    warned = controller.patch(place.path(ROS, "hello"), patch)

    assert refused.status == 403
    assert "[RO009]" in refused.causes[0]["message"]
    assert warned.done, warned.message
    assert warned.body["spec"]["rolloutStrategy"] == "sideways"
    assert any("[RO009]" in warning for warning in warned.warnings), warned.warnings


def test_a_namespace_may_ask_for_warnings_alone(person: User, new_place: Callable[..., Place]) -> None:
    lenient = new_place(**{"stagegate.dev/enforce": "warn"})

    def write() -> Response:
        return person.create(lenient.path(ROS), lenient.rollout(strategy="sideways"), dryRun="All")

    eventually(lambda: write().done, "webhook and policies know the label of the namespace")

    assert any("[RO009]" in warning for warning in write().warnings)


def test_an_override_turns_named_findings_of_one_object_into_warnings(person: User, place: Place) -> None:
    rollout = place.rollout(strategy="sideways", annotations={"stagegate.dev/override": "RO009"})

    answer = person.create(place.path(ROS), rollout)

    assert answer.done, answer.message
    assert any("[RO009]" in warning for warning in answer.warnings), answer.warnings


def test_an_update_is_refused_only_for_what_it_makes_worse(person: User, place: Place) -> None:
    overridden = place.rollout(strategy="sideways", annotations={"stagegate.dev/override": "RO009"})
    stored = person.create(place.path(ROS), overridden).body
    stored["metadata"]["annotations"] = {}
    stored["spec"]["initialRevisions"] = [entry("hello-00001", 100)]

    kept = person.update(place.path(ROS, "hello"), stored)
    assert kept.done, kept.message
    assert any("[RO009]" in warning for warning in kept.warnings), kept.warnings

    worse = kept.body
    worse["spec"]["targetRevisions"][0]["minScale"] = 12
    refused = person.update(place.path(ROS, "hello"), worse)
    assert refused.status == 403
    assert ["[RO003]" in cause["message"] for cause in refused.causes] == [True]


@pytest.mark.usefixtures("needs_kubectl")
def test_kubectl_prints_warnings(person: User, place: Place) -> None:
    rollout = place.rollout()
    rollout["spec"]["targetRevisions"][0]["targetReplicas"] = 11

    printed = person.kubectl("apply", "-f", "-", stdin=rollout)

    assert printed.code == 0
    assert printed.out == "rolloutorchestrator.serving.knative.dev/hello created\n"
    assert printed.err.startswith("Warning: spec.targetRevisions[0].targetReplicas: Invalid value: 11: ")
    assert "[RO010]" in printed.err


def test_what_the_schema_refuses_the_webhook_refuses_before(person: User, place: Place) -> None:
    answer = person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": -1}))

    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.causes[0]["field"] == "spec.stageMinScale"


def test_unknown_fields_are_pruned(person: User, place: Place) -> None:
    stored = person.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1, "nonsense": True})).body

    assert stored["spec"] == {"stageMinScale": 1}


@pytest.mark.e2e
@pytest.mark.usefixtures("needs_kubectl")
def test_who_acts_as_a_controller_is_warned_like_one(admin: User, place: Place) -> None:
    rollout = place.rollout(strategy="sideways")

    person = admin.kubectl("create", "-f", "-", "--as=jane", "--as-group=system:masters", stdin=rollout)
    controller = admin.kubectl("create", "-f", "-", f"--as={UPSTREAM}", "--as-group=system:masters", stdin=rollout)

    assert (person.code, controller.code) == (1, 0), controller.err
    assert "[RO009]" in person.err
    assert controller.err.startswith("Warning: spec.rolloutStrategy: ")
    assert controller.out == "rolloutorchestrator.serving.knative.dev/hello created\n"


@pytest.mark.e2e
def test_the_schema_refuses_controllers_too(upstream: User, place: Place) -> None:
    stored = upstream.create(place.path(SPAS), place.spa("hello-00002", {"stageMinScale": 1, "stageMaxScale": 3})).body
    stored["spec"] = CROSSED

    answer = upstream.update(place.path(SPAS, "hello-00002"), stored)

    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [(cause["field"], "[SPA002]" in cause["message"]) for cause in answer.causes] == [
        ("spec.stageMinScale", True)
    ], answer.causes
