"""Time-out: whether a stage is late, and what stands in the way of its traffic."""

from datetime import timedelta
from typing import Any

import pytest

from tests.cluster.fake_clock import START
from tests.loop.world import entry
from webhook.api import RolloutOrchestrator
from webhook.api.wire import format_time
from webhook.planning.shift import Overdue, next_finish_time, overdue, seconds_left

STAGE = [entry("a", 80, direction="down", targetReplicas=3), entry("b", 20, direction="up", targetReplicas=1)]
LAST = [entry("b", 100)]


def ro(left: float | None = -1, stage: list[Any] = STAGE, ready: str = "Unknown") -> RolloutOrchestrator:
    spec: dict[str, Any] = {"stageTargetRevisions": stage, "targetRevisions": LAST}
    if left is not None:
        spec["targetFinishTime"] = format_time(START + timedelta(seconds=left))
    conditions = [{"type": "StageReady", "status": ready}]
    return RolloutOrchestrator.from_dict({"spec": spec, "status": {"conditions": conditions}})


@pytest.mark.parametrize(
    ("rollout", "left"),
    [
        (ro(30), 30.0),
        (ro(-30), 0.0),
        (ro(0), 0.0),
        (ro(None), None),
        (ro(-30, ready="True"), None),
        (ro(-30, ready="False"), None),
        (ro(-30, stage=LAST), None),
        (ro(-30, stage=[]), None),
    ],
    ids=["early", "late", "now", "no time", "stage done", "failed", "the last stage", "no stage"],
)
def test_seconds_left(rollout: RolloutOrchestrator, left: float | None) -> None:
    assert seconds_left(rollout, START) == left


def deployment(revision: str, replicas: int | None, available: int, says: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{revision}-deployment", "labels": {"serving.knative.dev/revision": revision}},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {"availableReplicas": available, "conditions": [{"type": "Available", "status": says}]},
    }


@pytest.mark.parametrize(
    ("deployments", "obstacle"),
    [
        ([deployment("a", 4, 4), deployment("b", 1, 1)], None),
        ([deployment("a", 0, 0), deployment("b", 1, 1)], None),
        (
            [deployment("a", 4, 4), deployment("b", 2, 1)],
            "Deployment b-deployment of revision b has 1 of 2 replicas available",
        ),
        (
            [deployment("a", 4, 4), deployment("b", 0, 0)],
            "Deployment b-deployment of revision b has 0 of 0 replicas available",
        ),
        (
            [deployment("a", 4, 4), deployment("b", 1, 1, "False")],
            "Deployment b-deployment of revision b has 1 of 1 replicas available",
        ),
        (
            [deployment("a", None, 4), deployment("b", 1, 1)],
            "Deployment a-deployment of revision a does not say how many replicas it wants",
        ),
        ([deployment("a", 4, 4)], "revision b has no Deployment"),
        (None, "the Deployments of its revisions cannot be seen"),
    ],
    ids=["all available", "old one gone already", "short", "held at nothing", "says no", "no number", "none", "unseen"],
)
def test_obstacles(deployments: list[dict[str, Any]] | None, obstacle: str | None) -> None:
    late = ro(-60)
    assert overdue(late, deployments) == Overdue("2026-01-02T03:03:05Z", obstacle)


@pytest.mark.parametrize(
    ("minutes", "time"),
    [
        (2, "2026-01-02T03:06:05Z"),
        (0, "2026-01-02T03:04:06Z"),
        (-5, "2026-01-02T03:04:06Z"),
        (10**30, "2027-01-02T03:04:05Z"),
    ],
)
def test_the_next_time_is_never_now_and_never_out_of_the_calendar(minutes: int, time: str) -> None:
    assert next_finish_time(START, minutes) == time
