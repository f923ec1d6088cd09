"""What kstatus makes of a rollout on an API server: before a controller has seen it, when it fails, when it is done."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import ROLLING
from tests.integration.place import ROS, SPAS, Place, entry
from tests.integration.service import Service
from tests.integration.user import User
from tests.kstatus import CURRENT, FAILED, IN_PROGRESS, kstatus
from tests.waiting import eventually

UNSEEN = {"observedGeneration": -1}


def test_a_rollout_that_no_controller_has_seen_is_in_progress(person: User, place: Place) -> None:
    created = person.create(place.path(ROS), place.rollout()).body
    (listed,) = person.get(place.path(ROS)).body["items"]

    assert created["status"] == UNSEEN
    assert listed["status"] == UNSEEN
    assert kstatus(created) == kstatus(listed) == IN_PROGRESS


def test_a_status_in_git_is_no_status(person: User, place: Place) -> None:
    done = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}

    created = person.create(place.path(ROS), {**place.rollout(), "status": done}).body
    applied = person.apply(place.path(ROS, "hello"), {**place.rollout(), "status": done}, "git").body

    assert created["status"] == applied["status"] == UNSEEN


def test_an_spa_has_no_status_before_a_controller_writes_one(person: User, place: Place) -> None:
    """Or each new bound, which makes a new generation, would cost a write of the status too."""
    created = person.create(place.path(SPAS), place.spa("hello-00001", {"stageMinScale": 1})).body

    assert "status" not in created
    assert kstatus(created) == CURRENT


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([{"type": "Ready", "status": "True"}], CURRENT),
        ([{"type": "Ready", "status": "Unknown"}], IN_PROGRESS),
        ([{"type": "Ready", "status": "False"}, {"type": "Stalled", "status": "True", "severity": "Info"}], FAILED),
    ],
)
def test_what_upstream_writes_beside_them_is_kept(
    conditions: list[dict[str, Any]], expected: str, upstream: User, person: User, place: Place
) -> None:
    """Upstream replaces the whole status, and carries along every condition that it has read."""
    created = person.create(place.path(ROS), place.rollout()).body
    status = {"observedGeneration": 1, "conditions": conditions}

    stored = upstream.update(place.path(ROS, "hello", "status"), {**created, "status": status}).body

    assert (stored["status"], kstatus(stored)) == (status, expected)


def test_a_failed_rollout_is_failed_and_another_spec_is_the_way_out(
    new_service: Callable[..., Service], upstream: User, person: User
) -> None:
    service = new_service(demand=2)
    collection, path = Place(ROLLING).path(ROS), service.path
    rollout = service.place.rollout(service.name, "availability")
    # A person is not let through with it.
    del rollout["spec"]["targetRevisions"][0]["percent"]
    with service.observed() as observer:
        assert upstream.create(collection, rollout).done
        eventually(lambda: kstatus(person.get(path).body) == FAILED, "it has failed")
        failed = {one["type"]: one for one in person.get(path).body["status"]["conditions"]}
        assert failed["Stalled"]["message"] == failed["Ready"]["message"]
        assert "spec.targetRevisions[0].percent" in failed["Stalled"]["message"]

        targets = [entry(service.revision(2), 100, latestRevision=True)]
        patched = person.patch(path, {"spec": {"targetRevisions": targets}})
        assert patched.done, patched.message
        assert kstatus(patched.body) == IN_PROGRESS
        eventually(lambda: not observer.failure, "the failure is taken back")
        service.carry(observer, "the rollout is complete")

    assert kstatus(person.get(path).body) == CURRENT
