"""The policies: who is refused, what an update inherits, and what turns them off."""

import copy
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest

from tests.controlplane.response import Response
from tests.controlplane.session import Session
from tests.e2e.cluster import ROS, SPAS, Namespace, refused, rollout, spa

UP = {"revisionName": "hello-00002", "percent": 100}
DOWN = {"revisionName": "hello-00001", "direction": "down", "targetReplicas": 0}
GOOD = {"targetRevisions": [UP], "stageTargetRevisions": [UP, DOWN]}

# A rollout that breaks exactly one rule of its policy, by the rule.
BROKEN: dict[str, dict[str, Any]] = {
    "RO002": {"targetRevisions": [{**UP, "targetReplicas": -1}]},
    "RO003": {"initialRevisions": [{**UP, "minScale": 5, "maxScale": 3}]},
    "RO005": {**GOOD, "stageTargetRevisions": [DOWN]},
    "RO006": {**GOOD, "stageTargetRevisions": [{"revisionName": "hello-00002", "direction": "Up "}, DOWN]},
    "RO007": {"stageTargetRevisions": [UP, DOWN]},
    "RO008": {"targetRevisions": [{**UP, "percent": 99}]},
    "RO009": {"rolloutStrategy": "blue-green"},
}


def denied_by(answer: Response, rule: str) -> bool:
    return refused(answer) and f"[{rule}]" in answer.message


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_refuses_by_itself(person: Session, namespace: Namespace, rule: str) -> None:
    answer = person.create(namespace.path(ROS), rollout("hello", BROKEN[rule]))

    assert denied_by(answer, rule), answer
    assert answer.message.count("[RO") == 1
    assert person.get(namespace.path(ROS, "hello")).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("rule", BROKEN)
def test_the_controllers_are_left_out(controller: Session, namespace: Namespace, rule: str) -> None:
    assert controller.create(namespace.path(ROS), rollout("hello", BROKEN[rule])).status == HTTPStatus.CREATED


@pytest.mark.parametrize("rule", BROKEN)
def test_an_update_is_refused_only_for_what_it_breaks_itself(
    person: Session, controller: Session, namespace: Namespace, rule: str
) -> None:
    broken = controller.create(namespace.path(ROS), rollout("broken", BROKEN[rule])).body
    sound = controller.create(namespace.path(ROS), rollout("sound", GOOD)).body

    broken["spec"]["targetFinishTime"] = "2030-01-01T00:00:00Z"
    sound["spec"] = BROKEN[rule]

    assert person.update(namespace.path(ROS, "broken"), broken).status == HTTPStatus.OK
    assert denied_by(person.update(namespace.path(ROS, "sound"), sound), rule)


@pytest.mark.parametrize("rule", BROKEN)
def test_the_override_annotation_spares_the_rules_it_names(person: Session, namespace: Namespace, rule: str) -> None:
    named = rollout("named", BROKEN[rule], annotations={"stagegate.dev/override": f"SPA002, {rule.lower()}"})
    other = rollout("other", BROKEN[rule], annotations={"stagegate.dev/override": f"X{rule},{rule}9"})

    assert person.create(namespace.path(ROS), named).status == HTTPStatus.CREATED
    assert denied_by(person.create(namespace.path(ROS), other), rule)


def test_an_object_that_is_going_away_may_be_changed(person: Session, namespace: Namespace) -> None:
    wait = ["example.com/wait"]
    person.create(namespace.path(ROS), rollout("hello", GOOD, finalizers=wait))
    person.create(namespace.path(SPAS), spa("hello-00001", finalizers=wait))
    person.delete(namespace.path(ROS, "hello"))
    person.delete(namespace.path(SPAS, "hello-00001"))
    label = {"metadata": {"labels": {"serving.knative.dev/revision": "another"}}}

    assert person.patch(namespace.path(ROS, "hello"), {"spec": BROKEN["RO009"]}).status == HTTPStatus.OK
    assert person.patch(namespace.path(SPAS, "hello-00001"), label).status == HTTPStatus.OK


def test_a_namespace_that_only_warns_is_left_to_the_webhook(
    person: Session, new_namespace: Callable[..., Namespace]
) -> None:
    warned = new_namespace({"stagegate.dev/enforce": "warn"})
    denied = new_namespace({"stagegate.dev/enforce": "deny"})

    assert person.create(warned.path(ROS), rollout("hello", BROKEN["RO009"])).status == HTTPStatus.CREATED
    assert denied_by(person.create(denied.path(ROS), rollout("hello", BROKEN["RO009"])), "RO009")


@pytest.mark.parametrize("excluded", ["kube-system", "stagegate-system"])
def test_stagegates_own_namespace_and_kube_system_are_not_its_business(
    plane_with_own_namespace: None, person: Session, excluded: str
) -> None:
    answer = person.create(Namespace(excluded).path(ROS), rollout("hello", BROKEN["RO009"]), dryRun="All")

    assert answer.status == HTTPStatus.CREATED


def test_the_label_of_an_spa_is_its_name(person: Session, controller: Session, namespace: Namespace) -> None:
    wrong = {"serving.knative.dev/revision": "hello-00001"}
    right = {"serving.knative.dev/revision": "hello-00002"}

    assert denied_by(person.create(namespace.path(SPAS), spa("hello-00002", labels=wrong)), "SPA003")
    assert controller.create(namespace.path(SPAS), spa("hello-00002", labels=wrong)).status == HTTPStatus.CREATED
    # What it already broke, it may go on breaking; what it mends, it may not break again.
    path = namespace.path(SPAS, "hello-00002")
    assert person.patch(path, {"spec": {"stageMinScale": 1}}).status == HTTPStatus.OK
    assert person.patch(path, {"metadata": {"labels": right}}).status == HTTPStatus.OK
    assert denied_by(person.patch(path, {"metadata": {"labels": wrong}}), "SPA003")


def test_percents_of_many_targets_are_added(person: Session, namespace: Namespace) -> None:
    entries = [{"revisionName": f"hello-{number:05}", "percent": 3} for number in range(32)]
    short = rollout("short", {"targetRevisions": entries})
    exact = copy.deepcopy(short)
    exact["spec"]["targetRevisions"][31]["percent"] = 7

    assert denied_by(person.create(namespace.path(ROS), short, dryRun="All"), "RO008")
    assert person.create(namespace.path(ROS), exact, dryRun="All").status == HTTPStatus.CREATED


def test_percents_that_would_overflow_are_refused_in_plain_words(person: Session, namespace: Namespace) -> None:
    entries = [{"revisionName": f"hello-{number:05}", "percent": 2**62} for number in range(4)]

    answer = person.create(namespace.path(ROS), rollout("hello", {"targetRevisions": entries}))

    assert denied_by(answer, "RO002")
    assert "overflow" not in answer.message


def test_the_longest_lists_cost_no_more_than_a_policy_may(person: Session, namespace: Namespace) -> None:
    entries = [
        {"revisionName": f"{'r' * 240}-{number:05}", "percent": 0, "direction": "stay", "minScale": 1, "maxScale": 2}
        for number in range(199)
    ]
    body = {"targetRevisions": [UP, *entries], "initialRevisions": entries, "stageTargetRevisions": [*entries, UP]}

    created = person.create(namespace.path(ROS), rollout("hello", body))
    assert created.status == HTTPStatus.CREATED, created.message
    changed = person.patch(namespace.path(ROS, "hello"), {"spec": {"rolloutStrategy": "resourceutil"}})
    assert changed.status == HTTPStatus.OK, changed.message
