"""Objects that are missing: deleted in the middle of a stage, not there yet, or of a kind that is not served."""

from typing import Any

import pytest

from tests.loop.world import KNATIVE, World, autoscale, entry, two_revisions
from webhook.cluster.resource import POD_AUTOSCALERS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

# Deleted


def test_a_revision_deleted_mid_stage_takes_its_spa_along_and_the_rollout_says_why_it_stands_still() -> None:
    world = two_revisions(World())
    world.settle()
    autoscale(world, 4)
    world.settle()
    world.api.remove(REVISIONS, "default", "hello-00001")
    world.settle()
    assert not world.has_spa("hello-00001")
    world.api.remove(POD_AUTOSCALERS, "default", "hello-00001")
    for _ in range(3):
        autoscale(world, 4)
        world.settle()
    assert "Warning RevisionMissing: the stage cannot be done: no Revision hello-00001" in world.emitted()
    assert world.forget().settle().written() == []


def test_an_spa_whose_revision_is_gone_is_deleted_on_condition_of_its_version() -> None:
    world = two_revisions(World()).settle()
    world.spa_object("hello-00000", stageMinScale=1)
    before = world.spa("hello-00000")["metadata"]
    world.forget().settle()
    deletes = [write for write in world.api.writes if write.verb == "delete"]
    assert [write.name for write in deletes] == ["default/hello-00000"]
    assert deletes[0].body["preconditions"]["uid"] == before["uid"]
    assert "resourceVersion" in deletes[0].body["preconditions"]


def test_an_spa_whose_revision_only_the_cache_misses_stays() -> None:
    world = two_revisions(World()).settle()
    world.forget()
    deleted = world.api.objects.pop((REVISIONS.path(), "default", "hello-00001"))
    world.api.history.append(
        (
            world.api.version + 1,
            "DELETED",
            REVISIONS.path(),
            {**deleted, "metadata": {**deleted["metadata"], "resourceVersion": str(world.api.version + 1)}},
        )
    )
    world.api.version += 1
    world.api.objects[REVISIONS.path(), "default", "hello-00001"] = deleted
    world.settle()
    assert world.has_spa("hello-00001")
    assert ("get", "revisions") in {(call.verb, call.resource) for call in world.api.reads}


def test_a_rollout_deleted_mid_stage_leaves_its_spas_to_the_collector_and_makes_none() -> None:
    world = two_revisions(World()).settle()
    world.api.remove(ROLLOUT_ORCHESTRATORS, "default", "hello")
    bounds = world.bounds("hello-00001"), world.bounds("hello-00002")
    world.forget().settle()
    world.scale("hello-00002", 1)
    world.settle()
    assert {write.split()[1] for write in world.written()} <= {"stagepodautoscalers/status"}
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == bounds
    for name in ("hello-00001", "hello-00002"):
        world.api.remove(STAGE_POD_AUTOSCALERS, "default", name)
    assert world.forget().settle().written() == []


def test_a_rollout_that_is_being_deleted_is_left_alone() -> None:
    world = World()
    two_revisions(world)
    ro = world.ro()
    metadata = {**ro["metadata"], "deletionTimestamp": "2026-01-02T03:04:05Z"}
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "metadata": metadata})
    assert [write for write in world.settle().written() if "rollout" in write] == []


# Not there yet


def test_a_stage_that_cannot_be_planned_yet_is_tried_again_and_says_why() -> None:
    world = World()
    world.revision("hello-00001")
    world.revision("hello-00002")
    world.rollout(initialRevisions=[entry("hello-00001", 100, 1, 9)], targetRevisions=[entry("hello-00002", 100, 1, 9)])
    world.settle()
    assert world.stage() == {}
    assert (
        "Warning NotPlanned: the next stage is not planned: PodAutoscaler hello-00001 does not exist yet"
        in world.emitted()
    )
    world.scale("hello-00001", 4)
    world.settle()
    assert world.stage() != {}


# Not served


@pytest.mark.parametrize("absent", [KNATIVE, (REVISIONS,)], ids=["no Knative at all", "no Revisions"])
def test_where_revisions_cannot_be_seen_none_is_missing(absent: Any) -> None:
    world = World(absent=absent)
    if REVISIONS in absent:
        world.api.serve(REVISIONS)
        two_revisions(world) if absent == (REVISIONS,) else None
        world.api.withdraw(REVISIONS)
    for name in ("hello-00001", "hello-00002"):
        status = {"desiredScale": 1, "actualScale": 1, "replicasTerminating": 0}
        world.spa_object(name, status=status, stageMinScale=1, stageMaxScale=1)
    if not world.api.get(ROLLOUT_ORCHESTRATORS, "default", "hello"):
        world.rollout(
            initialRevisions=[entry("hello-00001", 100, 1, 1)], targetRevisions=[entry("hello-00002", 100, 1, 1)]
        )
    world.settle()
    assert world.has_spa("hello-00001")
    assert world.has_spa("hello-00002")
    assert not [write for write in world.written() if write.startswith("delete")]


def test_without_pod_autoscalers_no_status_is_written_and_the_spas_own_counts() -> None:
    world = World(absent=KNATIVE)
    for name, scale in (("hello-00001", 4), ("hello-00002", 0)):
        world.spa_object(name, status={"desiredScale": scale, "actualScale": scale}, stageMinScale=1, stageMaxScale=9)
    world.rollout(initialRevisions=[entry("hello-00001", 100, 1, 9)], targetRevisions=[entry("hello-00002", 100, 1, 9)])
    world.settle()
    assert not [write for write in world.written() if write.startswith("patch stagepodautoscalers/status")]
    assert world.stage() == {"hello-00001": (75, 3), "hello-00002": (25, 1)}
