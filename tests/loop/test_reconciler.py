"""The controller in its world: objects before, what people and other controllers do, the writes and events after."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import generate_latest

from tests.cluster.fake_api import FakeApi, status_error
from tests.loop.world import KNATIVE, World, autoscale, entry, two_revisions
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.errors import ApiError, Forbidden, OutcomeUnknown, TooManyRequests, Unavailable
from webhook.cluster.resource import (
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
)
from webhook.cluster.transport import Request
from webhook.loop import workers
from webhook.loop.routing import Key
from webhook.planning.planned_targets import PLANNED_TARGETS

SPAS, ROS = STAGE_POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS


def carry(world: World, demand: int = 4, ticks: int = 60, every: Callable[[], None] = lambda: None) -> int:
    """Let loop and autoscaler take turns until the rollout is complete; answers the number of turns."""
    for tick in range(ticks):
        world.settle()
        every()
        if world.condition("Ready")[0] == "True":
            return tick
        autoscale(world, demand)
        world.clock.advance(1)
    raise AssertionError(f"not complete after {ticks} turns: {world.ro()}")


# A whole rollout


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_rollout_is_carried_from_start_to_end(strategy: str) -> None:
    world = two_revisions(World(), rolloutStrategy=strategy)
    carry(world)
    assert world.condition("LastStageReady") == ("True", "")
    assert world.ro()["status"]["stageRevisionStatus"][-1]["revisionName"] == "hello-00002"
    assert world.bounds("hello-00001") == (0, 1)
    assert world.bounds("hello-00002") == (1, 10)
    assert world.reasons()[-1] == "RolloutComplete"
    assert world.forget().settle().written() == [], "an idle rollout costs nothing"
    assert world.api.reads == [] or {call.verb for call in world.api.reads} == {"watch"}


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_stage_costs_two_spa_specs_one_ro_spec_and_three_ro_statuses(strategy: str) -> None:
    world = two_revisions(World(), replicas=10, high=20, rolloutStrategy=strategy)
    costs: dict[tuple[tuple[str, Any], ...], dict[str, int]] = {}

    def count() -> None:
        for write in world.api.writes:
            if write.resource == "rolloutorchestrators":
                stage = tuple(
                    sorted(
                        (one["revisionName"], one.get("percent")) for one in write.body["spec"]["stageTargetRevisions"]
                    )
                )
                costs[stage] = {}
            if costs:
                bucket = costs[next(reversed(costs))]
                bucket[write.resource] = bucket.get(write.resource, 0) + 1
        world.api.writes.clear()

    carry(world, demand=10, every=count)
    first, *others = costs.values()
    assert len(others) >= 3
    assert first["stagepodautoscalers"] <= 3
    for cost in others:
        assert cost["rolloutorchestrators"] == 1
        assert cost["rolloutorchestrators/status"] <= 3
        assert cost.get("stagepodautoscalers", 0) <= 2
    assert not [call for call in world.api.reads if (call.verb, call.resource) == ("list", "pods")][1:]
    assert not [call for call in world.api.reads if call.verb == "get"]


def test_what_happens_is_told_in_order() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    carry(world, demand=1)
    assert world.emitted() == [
        "Normal StageStarted: hello-00001 no traffic, to run 0 replicas; hello-00002 100% of traffic, to run 1 replica",
        "Normal ScaledUp: up: hello-00002 runs 1 replica",
        "Normal RolloutComplete: hello-00002 100% of traffic, 1 replica",
    ]


def test_a_wait_is_told_once_it_has_lasted_longer_than_ten_seconds_and_costs_no_write() -> None:
    world = two_revisions(World(), replicas=1, high=1).settle().forget()
    world.clock.advance(9)
    assert world.settle().emitted() == []
    world.clock.advance(1)
    assert world.settle().emitted() == ["Normal Waiting: scaling up: waiting for hello-00002 to run 1 replica"]
    world.scale("hello-00002", 1)
    world.settle().forget()
    world.clock.advance(9)
    assert world.settle().emitted() == []
    world.clock.advance(1)
    assert world.settle().emitted() == ["Normal Waiting: scaling down: waiting for hello-00001 to run 0 replicas"]
    assert world.written() == []


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_stage_costs_at_most_four_events(strategy: str) -> None:
    world = two_revisions(World(), replicas=10, high=20, rolloutStrategy=strategy)
    carry(world, demand=10)
    stages = world.reasons().count("StageStarted")
    assert stages >= 3
    assert len(world.emitted()) <= 4 * stages


def test_what_is_waited_for_is_told_again_by_a_loop_that_starts_later() -> None:
    world = two_revisions(World(), replicas=1, high=1).settle()
    world.clock.advance(10)
    world.forget().start()
    world.settle()
    assert world.written() == []
    assert world.emitted() == ["Normal Waiting: scaling up: waiting for hello-00002 to run 1 replica"]


def test_the_old_revision_stays_until_the_new_one_is_up() -> None:
    world = two_revisions(World()).settle()
    assert world.bounds("hello-00001") == (1, 10)
    world.clock.advance(100)
    world.settle()
    assert world.bounds("hello-00001") == (1, 10)
    world.scale("hello-00002", 1)
    world.settle()
    assert world.bounds("hello-00001") == (1, 3)


@pytest.mark.parametrize("kill_after", range(1, 16))
def test_a_loop_killed_after_any_write_is_taken_up_by_the_next(kill_after: int) -> None:
    world = two_revisions(World())

    def die(request: Request) -> ApiError | None:
        return (
            Unavailable(request.call, "killed")
            if request.method != "GET" and len(world.api.writes) >= kill_after
            else None
        )

    world.api.fail = die
    for _ in range(3):
        world.observe()
        while world.loop.workers.step():
            pass
        autoscale(world, 4)
    world.api.fail = lambda request: None
    world.start()
    carry(world)
    assert world.bounds("hello-00001") == (0, 1)


@pytest.mark.parametrize("moved", [{}, {"hello-00001": 14}, {"hello-00002": 3}], ids=["", "more of old", "more of new"])
def test_a_stage_that_was_stored_before_the_loop_died_is_not_planned_again(moved: dict[str, int]) -> None:
    world = two_revisions(World(), replicas=10, high=20)

    def die_after_the_second_stage(request: Request) -> ApiError | None:
        stored = [write for write in world.api.writes if write.resource == "rolloutorchestrators"]
        return Unavailable(request.call, "killed") if request.method != "GET" and len(stored) == 2 else None

    world.api.fail = die_after_the_second_stage
    while world.stage().get("hello-00002") != (20, 2):
        world.observe()
        while world.loop.workers.step():
            pass
        autoscale(world, 10) if world.stage()["hello-00002"] == (10, 1) else None
    second = world.stage()
    world.api.fail = lambda request: None
    for name, actual in moved.items():
        world.scale(name, actual)
    world.forget()
    world.clock.advance(30)
    world.start()
    world.settle()
    assert world.stage() == second
    assert "patch rolloutorchestrators default/hello" not in world.written()
    carry(world, demand=10)


def test_targets_that_are_taken_back_while_the_loop_is_dead_lead_back() -> None:
    world = two_revisions(World())
    carry(world)
    world.revision("hello-00003")
    world.scale("hello-00003", 0)

    def die_after_the_stage(request: Request) -> ApiError | None:
        is_stored = "hello-00003" in world.stage()
        return Unavailable(request.call, "killed") if request.method != "GET" and is_stored else None

    world.api.fail = die_after_the_stage
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.observe()
    while world.loop.workers.step():
        pass
    assert "hello-00003" in world.stage(), "stored, and not on record"
    world.edit(targetRevisions=[entry("hello-00002", 100, 1, 10, latestRevision=True)])
    world.api.fail = lambda request: None
    world.start()
    world.settle()
    assert "hello-00003" not in world.stage()
    carry(world)
    assert world.stage()["hello-00002"][0] == 100
    assert world.condition("Ready") == ("True", "")


# Writes and what can go wrong with them


def test_every_write_is_on_condition_of_the_version_it_was_decided_on() -> None:
    world = two_revisions(World())
    carry(world)
    for write in world.api.writes:
        if write.verb == "patch" and write.resource != "events":
            assert write.body["metadata"]["resourceVersion"], write


def once(api: FakeApi, method: str, resource: str, problem: Callable[[Request], ApiError], done: bool = False) -> None:
    """Fail one request; ``done`` does it all the same."""
    fired: list[bool] = []

    def hook(request: Request) -> ApiError | None:
        if fired or (request.method, request.call.resource) != (method, resource):
            return None
        fired.append(True)
        return problem(request)

    if done:
        api.after = hook
    else:
        api.fail = hook


@pytest.mark.parametrize("done", [False, True], ids=["not stored", "stored, answer lost"])
@pytest.mark.parametrize(
    "problem",
    [
        lambda request: status_error(request, 409, "Conflict", "modified"),
        lambda request: Unavailable(request.call, "500", status=500),
        lambda request: TooManyRequests(request.call, "slow", status=429, retry_after=3.0),
        lambda request: OutcomeUnknown(request.call, "timed out"),
    ],
    ids=["409", "500", "429", "time-out"],
)
@pytest.mark.parametrize(
    ("method", "resource"),
    [
        ("PATCH", "rolloutorchestrators"),
        ("PATCH", "rolloutorchestrators/status"),
        ("POST", "stagepodautoscalers"),
        ("PATCH", "stagepodautoscalers"),
        ("PATCH", "stagepodautoscalers/status"),
    ],
)
def test_a_rollout_outlives_a_request_that_fails(
    method: str, resource: str, problem: Callable[[Request], ApiError], done: bool
) -> None:
    world = two_revisions(World())
    once(world.api, method, resource, problem, done)
    carry(world)
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == ((0, 1), (1, 10))


def test_after_a_conflict_the_object_is_read_afresh() -> None:
    world = two_revisions(World()).settle()
    world.forget()
    once(world.api, "PATCH", "rolloutorchestrators/status", lambda r: status_error(r, 409, "Conflict", "modified"))
    world.scale("hello-00002", 1)
    world.settle()
    assert ("get", "rolloutorchestrators") in {(call.verb, call.resource) for call in world.api.reads}


@pytest.mark.parametrize("resource", ["stagepodautoscalers", "rolloutorchestrators", "rolloutorchestrators/status"])
def test_a_conflict_is_told_to_nobody(resource: str) -> None:
    world = two_revisions(World())
    once(world.api, "PATCH", resource, lambda r: status_error(r, 409, "Conflict", "modified"))
    carry(world)
    assert not [event for event in world.emitted() if event.startswith("Warning")]


def test_the_loop_reads_its_own_writes_before_the_watch_shows_them() -> None:
    world = two_revisions(World())
    world.observe()
    while world.loop.workers.step():
        pass
    assert world.written().count("create stagepodautoscalers default/hello-00002") == 1
    assert not [write for write in world.written() if write.startswith("update")]
    assert world.condition("StageScaleUpReady") == ("Unknown", "StageRevisionStart")


# SPA status


def test_scales_and_terminating_pods_are_fed_to_the_spa() -> None:
    world = two_revisions(World()).settle()
    world.scale("hello-00001", 3, desired=2)
    world.pod("p1", "hello-00001", deletionTimestamp="2026-01-02T03:05:00Z", deletionGracePeriodSeconds=30)
    world.pod("p2", "hello-00001", deletionTimestamp="2026-01-02T03:05:00Z", phase="Failed")
    world.pod("p3", "hello-00001")
    world.settle()
    status = world.spa("hello-00001")["status"]
    assert (status["desiredScale"], status["actualScale"], status["replicasTerminating"]) == (2, 3, 1)


def test_a_status_that_is_right_is_not_written() -> None:
    world = two_revisions(World()).settle()
    world.scale("hello-00001", 4)
    world.pod("p", "hello-00001")
    assert world.forget().settle().written() == []


def test_an_spa_without_a_pod_autoscaler_says_so() -> None:
    world = World()
    world.spa_object("lonely", "nobody", stageMinScale=1)
    world.settle()
    assert world.written() == ["patch stagepodautoscalers/status default/lonely"]
    condition = world.spa("lonely")["status"]["conditions"][0]
    assert condition["reason"] == "PodAutoscalerStageNotReady"


def test_a_pod_autoscaler_of_any_class_feeds_its_spa() -> None:
    world = two_revisions(World()).settle()
    one = world.scale("hello-00002", 1)
    one["metadata"]["annotations"] = {"autoscaling.knative.dev/class": "hpa.autoscaling.knative.dev"}
    world.settle()
    assert world.spa("hello-00002")["status"]["actualScale"] == 1


# Defaulting


def test_an_spa_that_came_before_its_rollout_is_adopted() -> None:
    world = World()
    world.revision("hello-00001")
    world.revision("hello-00002")
    world.scale("hello-00001", 4)
    world.scale("hello-00002", 0)
    world.api.put(SPAS, {"metadata": {"name": "hello-00001"}, "spec": {}})
    world.settle()
    two_revisions(world).settle()
    metadata = world.spa("hello-00001")["metadata"]
    assert metadata["labels"] == {REVISION_LABEL: "hello-00001", SERVICE_LABEL: "hello"}
    assert [owner["name"] for owner in metadata["ownerReferences"]] == ["hello"]
    assert world.bounds("hello-00001") == (1, 10)


def test_an_spa_that_comes_later_is_completed_by_its_label_alone() -> None:
    world = two_revisions(World(steps=False)).settle()
    world.forget()
    world.api.put(SPAS, {"metadata": {"name": "hello-00002", "labels": {SERVICE_LABEL: "hello"}}, "spec": {}})
    world.settle()
    assert world.written() == ["patch stagepodautoscalers default/hello-00002"]
    assert world.bounds("hello-00002") == (1, 10)


def test_with_steps_off_nothing_but_completion_happens() -> None:
    world = two_revisions(World(steps=False)).settle()
    world.spa_object("hello-00001", stageMinScale=9)
    world.settle()
    assert world.written() == ["patch stagepodautoscalers default/hello-00001"]
    assert world.api.writes[0].body["spec"] == {"stageMaxScale": 10}
    assert "status" not in world.ro()
    assert {call.resource for call in world.api.reads} == {"rolloutorchestrators", "stagepodautoscalers"}


def test_a_bound_that_somebody_else_states_is_set_back() -> None:
    world = two_revisions(World()).settle()
    spa = world.spa("hello-00002")
    world.api.put(SPAS, {**spa, "spec": {"stageMinScale": 7, "stageMaxScale": 7}})
    world.forget().settle()
    assert world.written() == ["patch stagepodautoscalers default/hello-00002"]
    assert world.api.writes[0].query["force"] == "true"
    assert world.bounds("hello-00002") == (1, 10)


# Who belongs to whom


def test_two_rollouts_that_name_one_revision_both_end_and_touch_each_others_spas_no_more_than_that() -> None:
    world = two_revisions(World())
    world.rollout("other", initialRevisions=[], targetRevisions=[entry("hello-00001", 100, 1, 10)])
    world.settle()
    assert world.spa("hello-00001")["metadata"]["labels"][SERVICE_LABEL] == "hello"
    carry(world)


def test_the_same_service_name_in_two_namespaces_is_two_rollouts() -> None:
    world = two_revisions(World())
    elsewhere = {"name": "hello", "namespace": "elsewhere", "uid": "uid-elsewhere"}
    world.api.put(
        ROS,
        {"metadata": elsewhere, "spec": {"targetRevisions": [entry("hello-00001", 100, 2, 3, latestRevision=True)]}},
    )
    world.api.put(
        REVISIONS,
        {
            "metadata": {
                "name": "hello-00001",
                "namespace": "elsewhere",
                "labels": {SERVICE_LABEL: "hello", "serving.knative.dev/configuration": "hello"},
            }
        },
    )
    world.settle()
    there = world.api.get(SPAS, "elsewhere", "hello-00001")
    assert there is not None
    assert there["spec"] == {"stageMinScale": 2, "stageMaxScale": 3}
    assert there["metadata"]["ownerReferences"][0]["uid"] == "uid-elsewhere"
    assert world.spa("hello-00001")["metadata"]["ownerReferences"][0]["uid"] == "uid-hello"


def test_namespaces_limit_what_is_seen_and_touched() -> None:
    world = two_revisions(World(namespaces=("elsewhere",)))
    assert world.settle().written() == []
    assert {call.namespace for call in world.api.reads} == {"elsewhere", "knative-serving"}


# New targets, in the middle of things


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


# Things that vanish


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


def test_a_rollout_deleted_mid_stage_leaves_its_spas_to_the_collector_and_makes_none() -> None:
    world = two_revisions(World()).settle()
    world.api.remove(ROS, "default", "hello")
    bounds = world.bounds("hello-00001"), world.bounds("hello-00002")
    world.forget().settle()
    world.scale("hello-00002", 1)
    world.settle()
    assert {write.split()[1] for write in world.written()} <= {"stagepodautoscalers/status"}
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == bounds
    for name in ("hello-00001", "hello-00002"):
        world.api.remove(SPAS, "default", name)
    assert world.forget().settle().written() == []


def test_a_spec_replaced_mid_stage_is_planned_again_and_the_rollout_ends() -> None:
    world = two_revisions(World())
    for _ in range(2):
        world.settle()
        autoscale(world, 4)
    ro = world.settle().ro()
    written = {key: ro["spec"][key] for key in ("initialRevisions", "targetRevisions")}
    world.api.put(ROS, {**ro, "spec": written})
    world.settle()
    assert sum(percent or 0 for percent, _ in world.stage().values()) == 100
    carry(world)
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == ((0, 1), (1, 10))


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
    if not world.api.get(ROS, "default", "hello"):
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


def test_an_spa_whose_revision_is_gone_is_deleted_on_condition_of_its_version() -> None:
    world = two_revisions(World()).settle()
    world.spa_object("hello-00000", stageMinScale=1)
    before = world.spa("hello-00000")["metadata"]
    world.forget().settle()
    deletes = [write for write in world.api.writes if write.verb == "delete"]
    assert [write.name for write in deletes] == ["default/hello-00000"]
    assert deletes[0].body["preconditions"]["uid"] == before["uid"]
    assert "resourceVersion" in deletes[0].body["preconditions"]


def test_a_rollout_that_is_being_deleted_is_left_alone() -> None:
    world = World()
    two_revisions(world)
    ro = world.ro()
    world.api.put(ROS, {**ro, "metadata": {**ro["metadata"], "deletionTimestamp": "2026-01-02T03:04:05Z"}})
    assert [write for write in world.settle().written() if "rollout" in write] == []


def test_an_obsolete_spa_goes_to_nothing() -> None:
    world = two_revisions(World())
    world.revision("hello-00000")
    world.scale("hello-00000", 3)
    world.spa_object("hello-00000", stageMinScale=3, stageMaxScale=3)
    world.settle()
    assert world.bounds("hello-00000") == (0, 1)


# Failure


def test_a_rollout_that_cannot_go_on_says_so_once_and_starts_nothing() -> None:
    world = two_revisions(World())
    world.settle()
    world.forget()
    world.edit(
        stageTargetRevisions=[
            entry("hello-00001", 90, direction="down"),
            entry("hello-00002", None, 5, 9, direction="up", targetReplicas=1),
        ]
    )
    world.settle()
    assert world.condition("StageReady") == ("False", "StageRevisionRolloutFailed")
    assert world.condition("LastStageReady") == ("False", "RevisionRolloutFailed")
    assert world.condition("Ready")[0] == "False"
    assert world.reasons() == ["InvalidRollout"]
    assert [write for write in world.written() if "stagepodautoscalers " in write] == []
    world.forget().settle()
    world.scale("hello-00002", 3)
    world.settle()
    assert "rolloutorchestrators" not in " ".join(world.written())


def test_new_targets_are_the_way_out_of_a_failure() -> None:
    world = two_revisions(World())
    world.settle()
    world.edit(
        stageTargetRevisions=[
            entry("hello-00001", 90, direction="down"),
            entry("hello-00002", None, 5, direction="up", targetReplicas=1),
        ]
    )
    world.settle()
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.settle()
    assert world.condition("StageReady")[0] == "Unknown"
    assert "hello-00003" in world.stage()


def test_targets_without_percent_fail_the_rollout_with_the_path_of_the_field() -> None:
    world = two_revisions(World())
    world.settle()
    world.edit(targetRevisions=[entry("hello-00002", None, 1, 10)])
    world.settle()
    assert world.condition("StageReady") == ("False", "StageRevisionRolloutFailed")
    assert "spec.targetRevisions[0].percent" in world.emitted()[-1]
    assert world.ro()["status"]["annotations"][PLANNED_TARGETS] == '[["hello-00002",100]]'
    world.forget()
    world.loop.enqueue_everything()
    world.settle()
    assert (world.written(), world.emitted()) == ([], []), "it is reported once"


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


def test_a_write_that_is_refused_is_told_on_the_rollout() -> None:
    world = two_revisions(World())
    world.api.fail = lambda request: (
        status_error(request, 422, "Invalid", "denied by a policy")
        if (request.method, request.call.resource) == ("PATCH", "rolloutorchestrators")
        else None
    )
    world.settle()
    assert world.emitted() == ["Warning WriteRefused: patch rolloutorchestrators default/hello: denied by a policy"]


@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize(("code", "reason"), [(422, "Invalid"), (403, "Forbidden"), (400, "BadRequest")])
def test_a_refused_write_to_an_spa_that_lacks_something_is_told_on_the_rollout(
    steps: bool, code: int, reason: str
) -> None:
    world = two_revisions(World(steps=steps))
    world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "hello-00001", "namespace": "default"}})
    world.api.fail = lambda request: (
        status_error(request, code, reason, "denied by a policy")
        if (request.method, request.call.resource) == ("PATCH", "stagepodautoscalers")
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers default/hello-00001: denied by a policy"
    assert f"Warning WriteRefused: {refused}" in world.emitted()


def test_a_refused_write_of_an_spa_status_is_told_on_the_rollout() -> None:
    world = two_revisions(World())
    world.api.fail = lambda request: (
        status_error(request, 403, "Forbidden", "the account may not")
        if request.call.resource == "stagepodautoscalers/status"
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers/status default/hello-00001: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()


def test_a_refused_write_to_an_spa_that_belongs_to_nobody_is_told_on_the_spa() -> None:
    world = World()
    world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "alone", "namespace": "default"}})
    world.scale("alone", 1)
    world.api.fail = lambda request: (
        status_error(request, 403, "Forbidden", "the account may not")
        if request.call.resource == "stagepodautoscalers/status"
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers/status default/alone: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()
    assert {event.regarding["kind"] for event in world.events} == {"StagePodAutoscaler"}


@pytest.mark.parametrize(
    ("rollout", "revision", "labels"),
    [
        ("hello", "r" * 64, {SERVICE_LABEL: "hello"}),
        ("h" * 64, "hello-00002", {REVISION_LABEL: "hello-00002"}),
        ("h" * 64, "r" * 64, {}),
    ],
)
def test_names_too_long_for_a_label_are_carried_out_without_it(
    rollout: str, revision: str, labels: dict[str, str]
) -> None:
    """Without Knative, whose own names are never that long."""
    world = World(absent=KNATIVE)
    ready = [{"type": "PodAutoscalerStageReady", "status": "True"}]
    world.api.put(
        ROLLOUT_ORCHESTRATORS,
        {"metadata": {"name": rollout}, "spec": {"targetRevisions": [entry(revision, 100, 1, 3)]}},
    )
    world.settle()
    assert world.spa(revision)["metadata"].get("labels", {}) == labels
    assert world.bounds(revision) == (1, 3)
    world.forget().loop.enqueue_everything()
    assert world.settle().written() == []
    status = {"desiredScale": 1, "actualScale": 1, "conditions": ready}
    world.api.put(STAGE_POD_AUTOSCALERS, {**world.spa(revision), "status": status})
    world.settle()
    assert world.condition("LastStageReady", rollout)[0] == "True"


# Settings


def test_the_config_map_and_annotations_set_the_pace() -> None:
    world = two_revisions(World(), replicas=10, high=20)
    world.settings(over_consumption_ratio="50")
    world.settle()
    assert world.stage() == {"hello-00001": (50, 5), "hello-00002": (50, 5)}


@pytest.mark.parametrize(
    ("annotated", "specified", "configured", "carried", "stored"),
    [
        pytest.param("resourceutil", "availability", None, "resourceutil", "availability", id="the annotation"),
        pytest.param(" ResourceUtil ", "Availability", None, "resourceutil", "Availability", id="in any spelling"),
        pytest.param("availability", "resourceutil", None, "availability", "resourceutil", id="either way"),
        pytest.param(None, "availability", "resourceutil", "availability", "availability", id="that of the spec"),
        pytest.param(None, None, "resourceutil", "resourceutil", "resourceutil", id="the configured one, written"),
        pytest.param(None, None, None, "availability", "availability", id="none: availability, written"),
    ],
)
def test_a_stage_is_carried_out_by_the_strategy_in_force(
    annotated: str | None, specified: str | None, configured: str | None, carried: str, stored: str
) -> None:
    world = World()
    if configured:
        world.settings(progressive_rollout_strategy=configured)
    two_revisions(world, rolloutStrategy=specified or "")
    if annotated:
        ro = world.ro()
        annotations = {"rollout.knative.dev/progressive-rollout-strategy": annotated}
        world.api.put(ROS, {**ro, "metadata": {**ro["metadata"], "annotations": annotations}})
    world.settle()
    first = {"availability": (1, 10), "resourceutil": (0, 0)}
    assert world.bounds("hello-00002") == first[carried], "up at once, or held until the old one is down"
    carry(world)
    assert world.ro()["spec"]["rolloutStrategy"] == stored
    assert world.condition("LastStageReady")[0] == "True"


# Time-out


def late(world: World, available: int = 1) -> World:
    """A rollout whose first stage waits for its new revision, three minutes later."""
    two_revisions(world).settle()
    world.deployment("hello-00001", 4, 4)
    world.deployment("hello-00002", 1, available)
    world.settle()
    world.clock.advance(180)
    return world.forget()


def test_a_late_stage_shifts_its_traffic_and_gets_more_time() -> None:
    world = late(World()).settle()
    assert world.stage() == {"hello-00001": (65, 3), "hello-00002": (35, 1)}
    assert world.ro()["spec"]["targetFinishTime"] == "2026-01-02T03:09:05Z"
    assert world.reasons()[0] == "TrafficShifted"


def test_a_late_stage_whose_deployment_is_short_says_so_on_condition_and_in_an_event_once() -> None:
    world = late(World(), available=0).settle()
    assert world.stage() == {"hello-00001": (75, 3), "hello-00002": (25, 1)}
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert world.condition("Ready") == ("Unknown", "StageTimedOut")
    assert world.emitted()[0] == (
        "Warning StageTimedOut: The stage was not done by 2026-01-02T03:06:05Z, and its traffic is not shifted: "
        "Deployment hello-00002-deployment of revision hello-00002 has 0 of 1 replicas available."
    )
    assert world.written() == ["patch rolloutorchestrators/status default/hello"]
    world.forget()
    world.loop.enqueue_everything()
    assert world.settle().written() == [], "what is reported already is not written again"


def test_a_deployment_that_becomes_available_lets_a_late_stage_go_on() -> None:
    world = late(World(), available=0).settle()
    world.deployment("hello-00002", 1, 1)
    world.settle()
    assert world.stage()["hello-00002"][0] == 35


def given_up(world: World) -> World:
    """A stage on its way to its last replicas, whose entry going down has no percent any more, and which is late."""
    three = [
        entry("hello-00001", 50, 1, 10, direction="stay", targetReplicas=2),
        entry("hello-00002", None, 1, 10, direction="down", targetReplicas=0),
        entry("hello-00003", 50, 1, 10, direction="up", targetReplicas=2, latestRevision=True),
    ]
    for name, actual in (("hello-00001", 2), ("hello-00002", 1), ("hello-00003", 2)):
        world.revision(name)
        world.scale(name, actual)
        world.deployment(name, actual, actual)
    world.rollout(
        initialRevisions=[entry("hello-00001", 50, 1, 10), entry("hello-00002", 50, 1, 10)],
        stageTargetRevisions=three,
        targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)],
        targetFinishTime="2026-01-02T03:04:00Z",
    )
    return world


def test_a_late_stage_without_traffic_to_shift_waits_on_and_does_not_fail() -> None:
    world = given_up(World()).settle()
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert any("its traffic is not shifted: no traffic is left to shift" in event for event in world.emitted())
    world.scale("hello-00002", 0)
    world.forget().settle()
    assert "StageComplete" in world.reasons()
    assert "StageTimedOut" not in world.reasons(), "the stage is done"


def test_what_a_late_stage_says_keeps_its_time_while_other_conditions_move() -> None:
    world = late(World(), available=0).settle()
    since = [c["lastTransitionTime"] for c in world.ro()["status"]["conditions"] if c["type"] == "StageReady"]
    world.clock.advance(60)
    world.scale("hello-00002", 1)
    world.settle()
    assert world.condition("StageScaleUpReady")[0] == "True"
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert since == [c["lastTransitionTime"] for c in world.ro()["status"]["conditions"] if c["type"] == "StageReady"]


def test_the_time_of_day_may_jump() -> None:
    world = two_revisions(World()).settle()
    world.clock.skew = -86400.0
    world.settle()
    world.clock.skew = 0.0
    carry(world)


# Pods that hang


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


# Other objects on the wire


def test_an_object_that_cannot_be_read_is_left_until_it_changes() -> None:
    world = two_revisions(World())
    broken = world.edit(stageTargetRevisions="nonsense")
    world.settle()
    assert "rolloutorchestrators" not in " ".join(world.written())
    world.api.put(ROS, {**broken, "spec": {**broken["spec"], "stageTargetRevisions": []}})
    world.settle()
    assert world.stage() != {}


# Faults and refusals


def test_a_deletion_that_is_refused_says_which_and_why() -> None:
    world = two_revisions(World())
    world.spa_object("hello-00000")
    world.api.fail = lambda request: (
        Forbidden(request.call, "the account may not", status=403) if request.method == "DELETE" else None
    )
    world.observe()
    with pytest.MonkeyPatch.context() as patch:
        logged: list[str] = []
        patch.setattr(workers._LOG, "log", lambda level, form, *values: logged.append(form % values))
        while world.loop.workers.step():
            pass
    refused = "delete stagepodautoscalers default/hello-00000: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()
    assert any(refused in line for line in logged), logged


def test_a_fault_of_the_program_is_logged_whole_and_counted_as_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = two_revisions(World())
    monkeypatch.setattr(world.loop.reconciler.stages, "reconcile", lambda ro, strategy: ro["metadata"])
    world.observe()
    assert world.loop.workers.step()
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "default/hello" in record.getMessage()
    assert "Warning InternalError: TypeError in the loop: its log has the traceback" in world.emitted()
    assert b'stagegate_loop_reconciles_total{kind="rollout",result="crashed"} 1.0' in generate_latest(
        world.metrics.registry
    )
    assert world.loop.queue.failures(Key("rollout", "default", "hello")) == 1


def test_a_finished_rollout_whose_stage_somebody_removes_does_not_start_a_stage() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    carry(world, demand=1)
    world.forget().edit(stageTargetRevisions=[])
    world.settle()
    assert [one["revisionName"] for one in world.ro()["spec"]["stageTargetRevisions"]] == ["hello-00002"]
    assert world.condition("Ready")[0] == "True"
    assert world.reasons() == []


def test_a_stage_under_way_that_somebody_removes_starts_again() -> None:
    world = two_revisions(World(), replicas=10, high=20).settle()
    stage = world.ro()["spec"]["stageTargetRevisions"]
    world.forget().edit(stageTargetRevisions=[])
    world.settle()
    assert world.ro()["spec"]["stageTargetRevisions"] == stage
    assert world.reasons() == ["StageStarted"]
