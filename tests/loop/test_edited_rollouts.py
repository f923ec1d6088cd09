"""Rollouts that people edit: new targets mid stage, and a stage that is removed, replaced or unreadable."""

from tests.loop.world import World, autoscale, carry, entry, two_revisions
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, ROUTES
from webhook.planning.planned_targets import PLANNED_TARGETS

# New targets


def test_targets_edited_mid_stage_start_the_rollout_anew_from_what_was_reached() -> None:
    world = two_revisions(World())
    world.settle()
    autoscale(world, 4)
    world.settle()
    autoscale(world, 4)
    world.settle()
    reached = world.ro()["status"]["stageRevisionStatus"]
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.settle()
    spec = world.ro()["spec"]
    assert spec["initialRevisions"] == reached
    assert "hello-00003" in world.stage()
    assert world.ro()["status"]["annotations"][PLANNED_TARGETS] == '[["hello-00003",100]]'
    carry(world)
    assert world.ro()["status"]["stageRevisionStatus"][-1]["revisionName"] == "hello-00003"


def test_a_rollback_mid_stage_goes_back() -> None:
    world = two_revisions(World())
    for _ in range(2):
        world.settle()
        autoscale(world, 4)
    world.settle()
    world.edit(targetRevisions=[entry("hello-00001", 100, 1, 10, latestRevision=True)])
    carry(world)
    assert world.bounds("hello-00001") == (1, 10)
    assert world.bounds("hello-00002") == (0, 1)


def test_a_route_without_traffic_makes_the_start_nothing() -> None:
    world = two_revisions(World())
    world.settle()
    autoscale(world, 4)
    world.settle()
    world.api.put(ROUTES, {"metadata": {"name": "hello"}, "status": {"traffic": []}})
    world.revision("hello-00003")
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.settle()
    assert "initialRevisions" not in world.ro()["spec"]
    assert world.bounds("hello-00001") != (0, 1)
    assert world.stage() == {"hello-00003": (100, None)}


# The stage


def test_a_spec_replaced_mid_stage_is_planned_again_and_the_rollout_ends() -> None:
    world = two_revisions(World())
    for _ in range(2):
        world.settle()
        autoscale(world, 4)
    ro = world.settle().ro()
    written = {key: ro["spec"][key] for key in ("initialRevisions", "targetRevisions")}
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "spec": written})
    world.settle()
    assert sum(percent or 0 for percent, _ in world.stage().values()) == 100
    carry(world)
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == ((0, 1), (1, 10))


def test_a_stage_under_way_that_somebody_removes_starts_again() -> None:
    world = two_revisions(World(), replicas=10, high=20).settle()
    stage = world.ro()["spec"]["stageTargetRevisions"]
    world.forget().edit(stageTargetRevisions=[])
    world.settle()
    assert world.ro()["spec"]["stageTargetRevisions"] == stage
    assert world.reasons() == ["StageStarted"]


def test_a_finished_rollout_whose_stage_somebody_removes_does_not_start_a_stage() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    carry(world, demand=1)
    world.forget().edit(stageTargetRevisions=[])
    world.settle()
    assert [one["revisionName"] for one in world.ro()["spec"]["stageTargetRevisions"]] == ["hello-00002"]
    assert world.condition("Ready")[0] == "True"
    assert world.reasons() == []


def test_an_object_that_cannot_be_read_is_left_until_it_changes() -> None:
    world = two_revisions(World())
    broken = world.edit(stageTargetRevisions="nonsense")
    world.settle()
    assert "rolloutorchestrators" not in " ".join(world.written())
    world.api.put(ROLLOUT_ORCHESTRATORS, {**broken, "spec": {**broken["spec"], "stageTargetRevisions": []}})
    world.settle()
    assert world.stage() != {}
