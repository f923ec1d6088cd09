"""What the demo shows of an object, and what it finds wrong with one."""

from typing import Any

import pytest

from sandbox.demo.story import Summary, diff, spa_faults

STATED = {
    "apiVersion": "serving.knative.dev/v1",
    "kind": "StagePodAutoscaler",
    "metadata": {"name": "hello-00002", "labels": {"serving.knative.dev/service": "hello"}},
}
LABELS = {"serving.knative.dev/service": "hello", "serving.knative.dev/revision": "hello-00002"}
OWNER = {"kind": "RolloutOrchestrator", "name": "hello", "uid": "uid-hello", "controller": True}


def stored(labels: dict[str, str], *owners: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": "hello-00002",
        "labels": labels,
        "ownerReferences": list(owners),
        "uid": "uid-1",
        "resourceVersion": "7",
        "creationTimestamp": "2030-01-01T00:00:00Z",
        "generation": 1,
        "managedFields": [],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }
    return {**STATED, "metadata": metadata, "spec": {"stageMaxScale": 10}}


def test_a_diff_shows_what_was_filled_in_and_not_what_every_server_adds() -> None:
    assert diff(STATED, stored(LABELS, {"name": "hello"}), "spa.yaml") == [
        "--- spa.yaml",
        "+++ as stored",
        "@@ -3,4 +3,9 @@",
        " metadata:",
        "   labels:",
        "+    serving.knative.dev/revision: hello-00002",
        "     serving.knative.dev/service: hello",
        "   name: hello-00002",
        "+  ownerReferences:",
        "+  - name: hello",
        "+spec:",
        "+  stageMaxScale: 10",
    ]


def test_nothing_filled_in_is_no_diff() -> None:
    assert diff(STATED, STATED, "spa.yaml") == []


@pytest.mark.parametrize(
    ("spa", "faults"),
    [
        pytest.param(stored(LABELS, OWNER), [], id="complete"),
        pytest.param(
            stored(LABELS | {"serving.knative.dev/revision": "hello-00001"}, OWNER),
            ["SPA hello-00002: label serving.knative.dev/revision is hello-00001, not hello-00002"],
            id="the label of another revision",
        ),
        pytest.param(
            stored({"serving.knative.dev/revision": "hello-00002"}, OWNER),
            ["SPA hello-00002: label serving.knative.dev/service is None, not hello"],
            id="a label is missing",
        ),
        pytest.param(
            stored(LABELS),
            ["SPA hello-00002: is not controlled by the RolloutOrchestrator hello"],
            id="without an owner",
        ),
        pytest.param(
            stored(LABELS, OWNER | {"uid": "uid-of-another"}),
            ["SPA hello-00002: is not controlled by the RolloutOrchestrator hello"],
            id="owned by one that was deleted",
        ),
    ],
)
def test_faults_of_an_spa(spa: dict[str, Any], faults: list[str]) -> None:
    assert spa_faults(spa, "uid-hello") == faults


def test_the_last_line_of_a_rollout() -> None:
    assert str(Summary("hello", 10, 11, 23.84)) == "default/hello: complete in 10 stages, peak 11 replicas, 23.8 s"
