"""Snapshot: what belongs to a rollout, what does not, and what could not be read."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, snapshot, world
from webhook.api import MalformedObject
from webhook.cluster.resource import (
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
)
from webhook.diagnosis.snapshot import snapshot_of
from webhook.diagnosis.world import Unread

Wire = dict[str, Any]


def test_each_revision_has_what_runs_for_it() -> None:
    found = snapshot()
    assert sorted(found.revisions) == [OLD, NEW]
    new = found.of(NEW)
    assert (new.desired, new.running, new.ending, len(new.pods), new.absence) == (1, 0, 0, 1, None)
    assert new.spa is not None
    assert new.spa.bounds == (1, 1)
    assert new.deployment is not None
    assert [one["metadata"]["name"] for one in new.replica_sets] == [f"{NEW}-deployment-abc"]
    assert len(found.of(OLD).live_pods) == 4
    assert found.of("another").pods == ()


def test_an_spa_of_the_service_that_the_rollout_does_not_name_belongs_to_it() -> None:
    spas = [*worlds.base()[STAGE_POD_AUTOSCALERS], worlds.spa("hello-00000", 0, 1, desired=0, actual=2)]
    assert sorted(snapshot({STAGE_POD_AUTOSCALERS: spas}).revisions) == ["hello-00000", OLD, NEW]


def test_a_name_without_an_ro_has_no_snapshot() -> None:
    assert snapshot_of(world(), "default", "other") is None
    assert snapshot_of(world(), "elsewhere", "hello") is None


def test_the_scales_of_the_spa_stand_in_for_a_pod_autoscaler_that_says_none() -> None:
    old = snapshot({POD_AUTOSCALERS: []}).of(OLD)
    assert (old.desired, old.running) == (4, 4)


@pytest.mark.parametrize(
    ("pods", "ending"),
    [
        pytest.param([], 2, id="no pod seen: the SPA's word"),
        pytest.param([worlds.pod(OLD)], 0, id="none terminates"),
        pytest.param(
            [worlds.pod(OLD, deletionTimestamp=worlds.ago(-20), deletionGracePeriodSeconds=30)], 1, id="one terminates"
        ),
        pytest.param(
            [worlds.pod(OLD, deletionTimestamp=worlds.ago(0), status={"phase": "Failed"})], 0, id="one has ended"
        ),
    ],
)
def test_ending_pods(pods: list[Wire], ending: int) -> None:
    spas = [worlds.spa(OLD, 4, 10, desired=4, actual=4, ending=2)]
    assert snapshot({STAGE_POD_AUTOSCALERS: spas, PODS: pods}).of(OLD).ending == ending


def test_a_revision_is_absent_only_where_revisions_can_be_seen() -> None:
    assert snapshot({REVISIONS: [worlds.revision(OLD)]}).of(NEW).absence == f"no Revision {NEW}"
    unread = [Unread(REVISIONS, "forbidden", "revisions is forbidden")]
    hidden = snapshot({REVISIONS: []}, unread)
    assert hidden.of(NEW).absence is None
    assert not hidden.sees(REVISIONS)
    assert hidden.sees(PODS)


def test_events_are_those_about_the_objects_of_the_rollout_oldest_first() -> None:
    mine = worlds.event("RolloutOrchestrator", "hello", "Waiting", "scaling up", 30)
    of_pod = worlds.event("Pod", f"{NEW}-pod-0", "Unhealthy", "probe failed", 10)
    other = worlds.event("RolloutOrchestrator", "other", "Waiting", "something else")
    earlier = worlds.event("RolloutOrchestrator", "hello", "WriteRefused", "before it was deleted and made anew", 20)
    earlier["involvedObject"]["uid"] = "uid-of-before"
    config_map = worlds.event("ConfigMap", "hello", "Updated", "not of the rollout")
    found = snapshot({EVENTS: [of_pod, other, mine, earlier, config_map]})
    assert list(found.events) == [mine, of_pod]
    assert found.events_of("Unhealthy", "Pod") == [of_pod]
    assert found.events_of("Unhealthy", "RolloutOrchestrator") == []


def test_only_the_leases_of_loops() -> None:
    other = {"metadata": {"name": "kube-scheduler", "namespace": "kube-system"}, "spec": {}}
    assert snapshot({LEASES: [other, worlds.lease()]}).leases == (worlds.lease(),)


def test_settings_in_force() -> None:
    settings = {"metadata": {"name": "config-rolloutorchestrator", "namespace": "knative-serving"}}
    twenty = {**settings, "data": {"over-consumption-ratio": "20"}}
    assert snapshot({CONFIG_MAPS: [twenty]}).config.over_consumption_ratio == 20
    unreadable = snapshot({CONFIG_MAPS: [{**settings, "data": {"over-consumption-ratio": "many"}}]})
    assert unreadable.config.over_consumption_ratio == 10
    assert [one.resource for one in unreadable.unread] == [CONFIG_MAPS]


def test_an_spa_that_cannot_be_read_is_said_to_be() -> None:
    bad = worlds.spa(NEW, 1, 1, desired=1, actual=0) | {"spec": {"stageMinScale": "one"}}
    found = snapshot({STAGE_POD_AUTOSCALERS: [bad]})
    assert found.of(NEW).spa is None
    assert [one.message for one in found.unread] == [f"{NEW}: spec.stageMinScale: must be a whole number, not a string"]


def test_an_ro_that_cannot_be_read_is_an_error() -> None:
    bad = worlds.ro(spec__stageTargetRevisions="all")
    with pytest.raises(MalformedObject, match=r"spec\.stageTargetRevisions"):
        snapshot_of(world({ROLLOUT_ORCHESTRATORS: [bad]}), "default", "hello")
