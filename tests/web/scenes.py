"""Scenes: what the pictures and the browser tests show."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.diagnosis.worlds import (
    NEW,
    NOW,
    OLD,
    STAGE,
    deployment,
    event,
    pod,
    pod_autoscaler,
    replica_set,
    ro,
    spa,
    world,
)
from tests.objects import entry
from webhook.cluster.resource import (
    DEPLOYMENTS,
    EVENTS,
    POD_AUTOSCALERS,
    PODS,
    REPLICA_SETS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
    Resource,
)
from webhook.diagnosis.world import World
from webhook.planning.stage_number import STAGES_DONE

Wire = dict[str, Any]

SECOND = [
    entry(OLD, 50, "down", minScale=4, maxScale=10, targetReplicas=2),
    entry(NEW, 50, "up", latestRevision=True, minScale=4, maxScale=10, targetReplicas=2),
]
PATH = "/default/hello"
_LACKING = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/6 nodes are available: 6 Insufficient nvidia.com/gpu.",
            "lastTransitionTime": "2026-03-01T11:59:20Z",
        }
    ],
}


def first_stage() -> World:
    """A minute ago: the first stage is nearly done."""
    changes: dict[Resource, list[Wire]] = {
        POD_AUTOSCALERS: [pod_autoscaler(OLD, 4, 4), pod_autoscaler(NEW, 1, 1)],
        PODS: [*(pod(OLD, number) for number in range(4)), pod(NEW, 0)],
        DEPLOYMENTS: [deployment(OLD, 4, 4), deployment(NEW, 1, 1)],
    }
    return replace(world(changes), at=NOW - timedelta(seconds=60))


def stuck_second_stage() -> World:
    """Now: the second stage, in which a pod finds no GPU."""
    events = [
        event("RolloutOrchestrator", "hello", "StageComplete", "stage done", seconds=60, type_="Normal"),
        event("Pod", f"{NEW}-pod-1", "FailedScheduling", "0/6 nodes are available: 6 Insufficient nvidia.com/gpu."),
    ]
    running = [*(pod(OLD, number) for number in range(3)), pod(NEW, 0)]
    changes: dict[Resource, list[Wire]] = {
        ROLLOUT_ORCHESTRATORS: [
            ro(
                spec__stageTargetRevisions=SECOND,
                status__stageRevisionStatus=STAGE,
                status__annotations={STAGES_DONE: "1"},
            )
        ],
        STAGE_POD_AUTOSCALERS: [spa(OLD, 3, 3, desired=3, actual=3), spa(NEW, 2, 10, desired=2, actual=1)],
        POD_AUTOSCALERS: [pod_autoscaler(OLD, 3, 3), pod_autoscaler(NEW, 2, 1)],
        DEPLOYMENTS: [deployment(OLD, 3, 3), deployment(NEW, 2, 1)],
        REPLICA_SETS: [replica_set(OLD, 3, 3), replica_set(NEW, 2, 2)],
        PODS: [*running, pod(NEW, 1, status=_LACKING)],
        EVENTS: events,
    }
    return world(changes)


def several() -> World:
    """Rollouts in several states, in two namespaces."""
    complete = ro(
        {"StageReady": "True", "LastStageReady": "True", "Ready": "True", "StageScaleUpReady": "True"},
        spec__stageTargetRevisions=[entry(NEW, 100)],
        status__stageRevisionStatus=[entry(NEW, 100)],
    )
    failed = ro({"StageReady": {"status": "False", "reason": "StageRevisionRolloutFailed", "message": "no percent"}})
    shown: dict[Resource, list[Wire]] = {}
    for name, one in (
        ("hello", stuck_second_stage()),
        ("shop", first_stage()),
        ("search", world({ROLLOUT_ORCHESTRATORS: [failed]})),
        ("recommendations-by-language", world({ROLLOUT_ORCHESTRATORS: [complete]})),
    ):
        for resource, objects in _renamed(one, name).items():
            shown.setdefault(resource, []).extend(objects)
    return World(shown, NOW)


def _renamed(one: World, name: str) -> Mapping[Resource, list[Wire]]:
    return {
        resource: json.loads(json.dumps(list(objects)).replace("hello", name))
        for resource, objects in one.objects.items()
        if name == "hello" or resource.plural != "leases"
    }
