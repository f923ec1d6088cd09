"""The SPAs of rollouts in the loop: status, defaults and bounds, whose they are, and when they go."""

import pytest

from tests.loop.world import KNATIVE, World, carry, entry, two_revisions
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS

# Status


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


# Defaults and bounds


def test_an_spa_that_came_before_its_rollout_is_adopted() -> None:
    world = World()
    world.revision("hello-00001")
    world.revision("hello-00002")
    world.scale("hello-00001", 4)
    world.scale("hello-00002", 0)
    world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "hello-00001"}, "spec": {}})
    world.settle()
    two_revisions(world).settle()
    metadata = world.spa("hello-00001")["metadata"]
    assert metadata["labels"] == {REVISION_LABEL: "hello-00001", SERVICE_LABEL: "hello"}
    assert [owner["name"] for owner in metadata["ownerReferences"]] == ["hello"]
    assert world.bounds("hello-00001") == (1, 10)


def test_an_spa_that_comes_later_is_completed_by_its_label_alone() -> None:
    world = two_revisions(World(steps=False)).settle()
    world.forget()
    world.api.put(
        STAGE_POD_AUTOSCALERS, {"metadata": {"name": "hello-00002", "labels": {SERVICE_LABEL: "hello"}}, "spec": {}}
    )
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
    world.api.put(STAGE_POD_AUTOSCALERS, {**spa, "spec": {"stageMinScale": 7, "stageMaxScale": 7}})
    world.forget().settle()
    assert world.written() == ["patch stagepodautoscalers default/hello-00002"]
    assert world.api.writes[0].query["force"] == "true"
    assert world.bounds("hello-00002") == (1, 10)


def test_an_obsolete_spa_goes_to_nothing() -> None:
    world = two_revisions(World())
    world.revision("hello-00000")
    world.scale("hello-00000", 3)
    world.spa_object("hello-00000", stageMinScale=3, stageMaxScale=3)
    world.settle()
    assert world.bounds("hello-00000") == (0, 1)


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


# Whose they are


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
        ROLLOUT_ORCHESTRATORS,
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
    there = world.api.get(STAGE_POD_AUTOSCALERS, "elsewhere", "hello-00001")
    assert there is not None
    assert there["spec"] == {"stageMinScale": 2, "stageMaxScale": 3}
    assert there["metadata"]["ownerReferences"][0]["uid"] == "uid-elsewhere"
    assert world.spa("hello-00001")["metadata"]["ownerReferences"][0]["uid"] == "uid-hello"


def test_namespaces_limit_what_is_seen_and_touched() -> None:
    world = two_revisions(World(namespaces=("elsewhere",)))
    assert world.settle().written() == []
    assert {call.namespace for call in world.api.reads} == {"elsewhere", "knative-serving"}
