"""Pods in the cluster: which ones terminate, how they are counted, and which the loop removes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.loop.world import World, two_revisions
from webhook.cluster.client import Client
from webhook.cluster.errors import Conflict, Unavailable
from webhook.cluster.resource import PODS
from webhook.loop.pods import ClusterPods
from webhook.strategies import TerminatingPod

SOON = "2026-01-02T03:05:00Z"
TIME = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)


def pods_of(world: World) -> ClusterPods:
    return ClusterPods(Client(world.api, field_manager="test"), world.loop.caches.pods)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, []),
        ({"deletionTimestamp": SOON, "deletionGracePeriodSeconds": 30}, [(TIME, 30)]),
        ({"deletionTimestamp": SOON}, [(TIME, None)]),
        ({"deletionTimestamp": SOON, "deletionGracePeriodSeconds": 0}, []),
        ({"deletionTimestamp": "soon"}, []),
    ],
    ids=["runs", "terminates", "without grace period", "is being removed", "unreadable"],
)
@pytest.mark.parametrize("seen", [True, False], ids=["watched", "not seen by the cache"])
def test_terminating_pods(metadata: dict[str, Any], expected: list[Any], seen: bool) -> None:
    world = World()
    world.pod("p", "hello-00001", **metadata)
    world.pod("q", "other-00001", deletionTimestamp=SOON)
    if seen:
        world.observe()
    found = pods_of(world).list_terminating("default", "hello-00001")
    assert found is not None
    assert [(pod.deletion_time, pod.grace_period_seconds) for pod in found] == expected
    assert all((pod.namespace, pod.name, pod.uid) == ("default", "p", "uid-p") for pod in found)
    lists = [
        call for call in world.api.reads if (call.verb, call.resource, call.namespace) == ("list", "pods", "default")
    ]
    assert len(lists) == (0 if seen else 1), "the API is asked only where the cache cannot see"


def test_pods_that_cannot_be_listed_are_not_none() -> None:
    world = World()
    world.api.fail = lambda request: Unavailable(request.call, "500", status=500)
    assert pods_of(world).list_terminating("default", "hello-00001") is None


@pytest.mark.parametrize(
    ("phase", "deleted", "count"),
    [("Running", True, 1), ("Running", False, 0), ("Pending", True, 0), ("Failed", True, 0), ("Succeeded", True, 0)],
)
def test_knative_counts_a_pod_that_still_runs_and_was_told_to_end(phase: str, deleted: bool, count: int) -> None:
    world = World()
    world.pod("p", "hello-00001", phase=phase, **({"deletionTimestamp": SOON} if deleted else {}))
    assert pods_of(world).count_terminating("default", "hello-00001") is None, "nothing was seen yet"
    world.observe()
    assert pods_of(world).count_terminating("default", "hello-00001") == count


def test_a_pod_that_is_gone_already_is_no_error_and_another_of_its_name_is_left_alone() -> None:
    world = World()
    pods_of(world).delete_now(TerminatingPod("default", "p", "uid-p", "1", TIME, 30))
    world.pod("p", "hello-00001")
    with pytest.raises(Conflict):
        pods_of(world).delete_now(TerminatingPod("default", "p", "another", "1", TIME, 30))
    assert world.api.get(PODS, "default", "p")


# In the loop


def hanging(world: World, deletion: str) -> World:
    two_revisions(world).settle()
    world.scale("hello-00002", 1)
    world.settle()
    world.scale("hello-00001", 3)
    world.pod("p", "hello-00001", deletionTimestamp=deletion, deletionGracePeriodSeconds=30)
    return world.forget()


def test_a_pod_past_its_deletion_time_is_removed_on_condition_that_it_is_still_that_pod() -> None:
    world = hanging(World(), "2026-01-02T03:04:00Z")
    version = world.api.objects[PODS.path(), "default", "p"]["metadata"]["resourceVersion"]
    world.settle()
    deletes = [write for write in world.api.writes if write.verb == "delete"]
    assert [str(write) for write in deletes] == ["delete pods default/p"]
    assert deletes[0].body["gracePeriodSeconds"] == 0
    assert deletes[0].body["preconditions"] == {"uid": "uid-p", "resourceVersion": version}
    assert "TerminatingPodRemoved" in world.reasons()


def test_a_pod_within_its_time_is_looked_at_again_when_that_is_over() -> None:
    world = hanging(World(), "2026-01-02T03:04:25Z").settle()
    assert world.api.get(PODS, "default", "p")
    world.clock.advance(21)
    world.settle()
    assert world.api.get(PODS, "default", "p") is None


def test_force_deletes_can_be_switched_off() -> None:
    world = hanging(World(force_delete=False), "2026-01-02T03:04:00Z").settle()
    assert world.api.get(PODS, "default", "p")


def test_pods_that_only_run_cost_no_request() -> None:
    world = two_revisions(World()).settle()
    world.forget()
    world.pod("p", "hello-00001")
    world.settle()
    assert {call.verb for call in world.api.reads} <= {"watch"}
