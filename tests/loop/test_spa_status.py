"""SPA status: PodAutoscaler and pods before, status of the SPA after."""

from typing import Any

import pytest

from tests.cluster.fake_clock import START
from webhook.api import StagePodAutoscaler
from webhook.api.wire import Wire
from webhook.loop.spa_reconciler import spa_status

READY = [
    {"type": "PodAutoscalerStageReady", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"},
    {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"},
]


def unready(problem: str) -> list[Wire]:
    shown = {
        "status": "Unknown",
        "reason": "PodAutoscalerStageNotReady",
        "message": f"The stage pod autoscaler is not ready: {problem}.",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    return [{"type": "PodAutoscalerStageReady", **shown}, {"type": "Ready", **shown}]


def spa(**status: Any) -> StagePodAutoscaler:
    metadata = {"namespace": "default", "name": "hello-00001", "generation": 4}
    return StagePodAutoscaler.from_dict({"metadata": metadata, "status": status})


NOT_FOUND = unready("The PodAutoscaler default/hello-00001 was not found.")
NOT_READY = unready("The ActualScale or DesiredScale for the PodAutoscaler default/hello-00001 was not ready.")


@pytest.mark.parametrize(
    ("before", "scales", "terminating", "after"),
    [
        (
            {},
            {"desiredScale": 3, "actualScale": 2},
            0,
            {"desiredScale": 3, "actualScale": 2, "replicasTerminating": 0, "conditions": READY},
        ),
        (
            {"desiredScale": 3, "actualScale": 3, "replicasTerminating": 0},
            {"desiredScale": 0, "actualScale": 0},
            3,
            {"desiredScale": 0, "actualScale": 0, "replicasTerminating": 3, "conditions": READY},
        ),
        ({}, {}, 1, {"replicasTerminating": 1, "conditions": NOT_READY}),
        (
            {"desiredScale": 3, "actualScale": 3},
            {"desiredScale": 1},
            0,
            {"desiredScale": 3, "actualScale": 3, "replicasTerminating": 0, "conditions": NOT_READY},
        ),
        (
            {"desiredScale": 3, "actualScale": 3, "replicasTerminating": 1},
            None,
            0,
            {"desiredScale": 3, "actualScale": 3, "replicasTerminating": 1, "conditions": NOT_FOUND},
        ),
    ],
    ids=["both scales", "scaled to nothing", "no scale yet", "one scale: the last ones stay", "no PodAutoscaler"],
)
def test_rows(before: Wire, scales: Wire | None, terminating: int, after: Wire) -> None:
    pod_autoscaler = None if scales is None else {"status": scales}
    assert spa_status(spa(**before), pod_autoscaler, terminating, START) == after


def test_what_says_the_same_keeps_its_time_and_what_nobody_knows_stays() -> None:
    earlier = [{**condition, "lastTransitionTime": "2025-01-01T00:00:00Z"} for condition in READY]
    before = {"desiredScale": 1, "actualScale": 1, "replicasTerminating": 0, "conditions": earlier, "custom": "x"}
    assert spa_status(spa(**before), {"status": {"desiredScale": 1, "actualScale": 1}}, 0, START) == before


def test_an_observed_generation_that_upstream_left_is_kept_up_to_date() -> None:
    assert spa_status(spa(observedGeneration=2), None, 0, START)["observedGeneration"] == 4
    assert "observedGeneration" not in spa_status(spa(), None, 0, START)
