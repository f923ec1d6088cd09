"""SPA and RO: round trips, what may be changed, and the marks of an RO."""

from datetime import UTC, datetime
from typing import Any

import pytest

from webhook.api import MalformedObject, RolloutOrchestrator, StagePodAutoscaler, TargetRevision

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)

SPA: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "StagePodAutoscaler",
    "metadata": {"name": "hello-00001", "namespace": "default", "labels": {"a": "b"}, "resourceVersion": "7"},
    "spec": {"stageMinScale": 0, "stageMaxScale": 3, "tomorrow": True},
    "status": {
        "desiredScale": 2,
        "actualScale": 0,
        "replicasTerminating": 1,
        "observedGeneration": 4,
        "conditions": [{"type": "PodAutoscalerStageReady", "status": "True"}],
    },
    "more": [1],
}
RO: dict[str, Any] = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "RolloutOrchestrator",
    "metadata": {"name": "hello", "namespace": "default", "generation": 3},
    "spec": {
        "initialRevisions": [{"revisionName": "hello-00001", "percent": 100}],
        "targetRevisions": [{"revisionName": "hello-00002", "percent": 100, "later": 1}],
        "stageTargetRevisions": [{"revisionName": "hello-00002", "percent": 0, "targetReplicas": 0}],
        "rolloutStrategy": " Availability",
        "targetFinishTime": "2024-05-01T12:00:00Z",
        "tomorrow": {"x": 1},
    },
    "status": {
        "conditions": [{"type": "Ready", "status": "Unknown", "lastTransitionTime": "2024-05-01T11:00:00Z"}],
        "stageRevisionStatus": [{"revisionName": "hello-00001", "percent": 100}],
        "observedGeneration": 2,
        "annotations": {"a": "b"},
        "tomorrow": 1,
    },
}


@pytest.mark.parametrize(("view", "data"), [(StagePodAutoscaler, SPA), (RolloutOrchestrator, RO)])
def test_a_round_trip_keeps_everything(view: Any, data: dict[str, Any]) -> None:
    assert view.from_dict(data).to_dict() == data


@pytest.mark.parametrize("view", [StagePodAutoscaler, RolloutOrchestrator])
def test_an_empty_object_stays_empty(view: Any) -> None:
    assert view.from_dict({"metadata": {"name": "x"}}).to_dict() == {"metadata": {"name": "x"}}


def test_new_bounds_make_a_new_spa() -> None:
    spa = StagePodAutoscaler.from_dict(SPA)
    changed = spa.with_bounds(None, 0)
    assert changed.to_dict()["spec"] == {"stageMaxScale": 0, "tomorrow": True}
    assert spa.to_dict() == SPA


def test_a_copy_of_an_ro_changes_apart_from_it() -> None:
    ro = RolloutOrchestrator.from_dict(RO)
    copy = ro.copy()
    copy.spec.stage_target_revisions.append(TargetRevision("hello-00003"))
    copy.status.stage_revision_status.clear()
    copy.status.annotations["a"] = "c"
    copy.mark_stage_ready(NOON)
    assert ro.to_dict() == RO


@pytest.mark.parametrize(
    ("view", "data", "message"),
    [
        (StagePodAutoscaler, {"spec": {"stageMinScale": "5"}}, "spec.stageMinScale: must be a whole number"),
        (StagePodAutoscaler, {"spec": []}, "spec: must be an object, not a list"),
        (StagePodAutoscaler, {"status": {"conditions": {}}}, "status.conditions: must be a list, not an object"),
        (RolloutOrchestrator, {"spec": {"targetRevisions": [{}, 5]}}, "spec.targetRevisions[1]: must be an object"),
        (RolloutOrchestrator, {"metadata": 5}, "metadata: must be an object, not a number"),
        (RolloutOrchestrator, [], "object: must be an object, not a list"),
    ],
)
def test_a_malformed_object_is_refused_with_its_field(view: Any, data: Any, message: str) -> None:
    with pytest.raises(MalformedObject) as refusal:
        view.from_dict(data)
    assert str(refusal.value).startswith(message)


def test_a_failed_stage_says_so_in_three_conditions() -> None:
    ro = RolloutOrchestrator()
    ro.mark_stage_revision_failed("no percent", NOON)
    text = "The rollout of the current stage failed with message: no percent."
    assert [(c.type, c.status, c.reason, c.message) for c in ro.status.conditions] == [
        ("LastStageReady", "False", "RevisionRolloutFailed", text),
        ("Ready", "False", "RevisionRolloutFailed", text),
        ("StageReady", "False", "StageRevisionRolloutFailed", text),
    ]


def test_a_new_generation_is_unknown_unless_the_stage_failed() -> None:
    ro = RolloutOrchestrator()
    ro.mark_new_generation(NOON)
    assert ro.status.conditions.is_unknown("Ready")
    ro.mark_stage_revision_failed("x", NOON)
    ro.mark_new_generation(NOON)
    assert ro.status.conditions.is_false("Ready")


@pytest.mark.parametrize(
    ("ready", "stage_ready", "observed", "failed", "complete"),
    [
        pytest.param("True", "True", 3, False, True, id="complete"),
        pytest.param("True", "True", 2, False, False, id="complete for an earlier spec"),
        pytest.param("Unknown", "Unknown", 3, False, False, id="in progress"),
        pytest.param("False", "False", 3, True, False, id="failed"),
        pytest.param("False", "False", 2, False, False, id="failed for an earlier spec"),
        pytest.param("True", "False", 3, True, False, id="failed, and Ready was not computed anew"),
    ],
)
def test_a_rollout_is_complete_or_failed_for_its_present_spec(
    ready: str, stage_ready: str, observed: int, failed: bool, complete: bool
) -> None:
    conditions = [{"type": "Ready", "status": ready}, {"type": "StageReady", "status": stage_ready}]
    status = {"observedGeneration": observed, "conditions": conditions}
    ro = RolloutOrchestrator.from_dict({"metadata": {"generation": 3}, "status": status})
    assert (ro.has_failed, ro.is_complete) == (failed, complete)
