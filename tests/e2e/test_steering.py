"""Who steers a rollout, on a real API server: policies alone decide about updates as the webhook does."""

from http import HTTPStatus
from typing import Any

import pytest

from tests.admission.reviews import verdict_on
from tests.admission.rules.test_steering import UPDATES, annotated
from tests.controlplane.session import Session
from tests.e2e.cluster import ROS, Namespace, refused, rollout

PERSON = "jane"
"""The user name of the fixture of that name."""


@pytest.mark.parametrize(("after", "before", "found"), UPDATES)
def test_an_update_gets_the_verdict_of_the_webhook(
    person: Session,
    controller: Session,
    namespace: Namespace,
    after: dict[str, str],
    before: dict[str, str] | None,
    found: list[str],
) -> None:
    path = namespace.path(ROS, "hello")
    if before is None:
        answer = person.create(namespace.path(ROS), rollout("hello", annotations=after))
    else:
        stored = controller.create(namespace.path(ROS), rollout("hello", annotations=before)).body
        answer = person.update(path, stored | {"metadata": stored["metadata"] | {"annotations": after}})

    old = annotated(before) if before is not None else None
    assert verdict_on(annotated(after), old=old, user=PERSON).allowed == (not found)
    if found:
        assert refused(answer), answer
        assert f"[{found[0]}]" in answer.message
    else:
        assert answer.status in (HTTPStatus.OK, HTTPStatus.CREATED), answer.message


@pytest.mark.parametrize("labels", [{"stagegate.dev/enforce": "warn"}])
def test_a_namespace_on_warn_makes_no_exception(person: Session, new_namespace: Any, labels: dict[str, str]) -> None:
    namespace = new_namespace(labels)
    assert person.create(namespace.path(ROS), rollout("hello", {"rolloutStrategy": "blue-green"})).status == 201
    forged = {"stagegate.dev/pause": "x", "stagegate.dev/pause-by": "bob", "stagegate.dev/override": "RO016"}
    answer = person.create(namespace.path(ROS), rollout("forged", annotations=forged))
    assert refused(answer)
    assert "[RO016]" in answer.message
