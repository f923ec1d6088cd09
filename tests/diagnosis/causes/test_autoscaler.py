"""Causes between the bounds of a revision and its replicas."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, ago, causes
from tests.objects import entry
from webhook.cluster.resource import (
    DEPLOYMENTS,
    POD_AUTOSCALERS,
    PODS,
    ROLLOUT_ORCHESTRATORS,
    STAGE_POD_AUTOSCALERS,
)
from webhook.diagnosis.world import Unread

Wire = dict[str, Any]
STAGE = [
    entry(OLD, 50, "down", minScale=4, maxScale=10, targetReplicas=2),
    entry(NEW, 50, "up", minScale=4, maxScale=10, targetReplicas=3),
]
LONG = {"StageScaleUpReady": {"status": "Unknown", "lastTransitionTime": ago(300)}}
HELD = "StagePodAutoscaler hello-00002 allows at most"


def world(
    new: Wire, autoscaler: Wire | None, *, conditions: Wire | None = None, strategy: str = "availability"
) -> dict[Any, list[Wire]]:
    """The new revision is to run 3 replicas."""
    ro = worlds.ro(conditions or {}, spec__stageTargetRevisions=STAGE, spec__rolloutStrategy=strategy)
    return {
        ROLLOUT_ORCHESTRATORS: [ro],
        STAGE_POD_AUTOSCALERS: [worlds.spa(OLD, 4, 10, desired=4, actual=4), new],
        POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 4, 4), *([autoscaler] if autoscaler else [])],
        DEPLOYMENTS: [worlds.deployment(OLD, 4, 4), worlds.deployment(NEW, 3, 1)],
        PODS: [worlds.pod(NEW)],
    }


def test_bounds_that_fit_are_no_cause() -> None:
    fits = worlds.spa(NEW, 3, 3, desired=3, actual=1)
    assert causes(world(fits, worlds.pod_autoscaler(NEW, 3, 1))) == []


@pytest.mark.parametrize(
    ("spa", "said"),
    [
        pytest.param(
            worlds.spa(NEW, 1, 1, desired=1, actual=1),
            f"bound-below-target stops: {HELD} 1 replica (spec.stageMaxScale); the stage needs 3",
            id="maximum",
        ),
        pytest.param(
            worlds.spa(NEW, 0, 10, desired=1, actual=1),
            "bound-below-target stops: StagePodAutoscaler hello-00002 asks for 0 replicas at least"
            " (spec.stageMinScale); the stage needs 3",
            id="minimum",
        ),
        pytest.param(worlds.spa(NEW, 3, 0, desired=3, actual=1), None, id="a maximum of 0 is no limit"),
        pytest.param(worlds.spa(NEW, 1, 1, desired=3, actual=3), None, id="they run all the same"),
    ],
)
def test_bound_below_target(spa: Wire, said: str | None) -> None:
    scales = spa["status"]
    autoscaler = worlds.pod_autoscaler(NEW, scales["desiredScale"], scales["actualScale"])
    found = causes(world(spa, autoscaler))
    assert found[:1] == ([said] if said else [])


def test_who_owns_the_bound_is_said_where_it_shows() -> None:
    spa = worlds.spa(NEW, 1, 1, desired=1, actual=1)
    spa["metadata"]["managedFields"] = [
        {"manager": "stagegate-loop", "fieldsV1": {"f:spec": {"f:stageMinScale": {}}}},
        {"manager": "argocd", "fieldsV1": {"f:spec": {"f:stageMaxScale": {}}}},
    ]
    assert causes(world(spa, worlds.pod_autoscaler(NEW, 1, 1)))[0].endswith("the stage needs 3; argocd set it")


@pytest.mark.parametrize(
    ("conditions", "effect"),
    [pytest.param({}, "delays", id="a moment ago"), pytest.param(LONG, "stops", id="long ago")],
)
def test_a_bound_that_the_loop_set_is_about_to_be_set_anew(conditions: Wire, effect: str) -> None:
    spa = worlds.spa(NEW, 1, 1, desired=1, actual=1)
    spa["metadata"]["managedFields"] = [{"manager": "stagegate-loop", "fieldsV1": {"f:spec": {"f:stageMaxScale": {}}}}]
    found = causes(world(spa, worlds.pod_autoscaler(NEW, 1, 1), conditions=conditions))
    assert found[0].startswith(f"bound-below-target {effect}: ")


def test_a_revision_that_is_held_until_there_is_room_is_no_cause() -> None:
    held = worlds.spa(NEW, 0, 0, desired=0, actual=0)
    down = {"StageScaleDownReady": "Unknown"}
    found = causes(world(held, worlds.pod_autoscaler(NEW, 0, 0), conditions=down, strategy="resourceutil"))
    assert not any(line.startswith("bound-below-target") for line in found)
    after = {"StageScaleDownReady": "True"}
    found = causes(world(held, worlds.pod_autoscaler(NEW, 0, 0), conditions=after, strategy="resourceutil"))
    assert found[0].startswith("bound-below-target stops")


@pytest.mark.parametrize(
    ("autoscaler", "says"),
    [
        pytest.param(
            None, "there is no PodAutoscaler hello-00002, which Knative makes for each Revision", id="no object"
        ),
        pytest.param(
            worlds.pod_autoscaler(NEW, -1, 0),
            "Knative's autoscaler has no metrics of hello-00002 (status.desiredScale -1)",
            id="no metrics",
        ),
        pytest.param(
            worlds.pod_autoscaler(NEW, None, None, Ready={"status": "Unknown", "reason": "Queued", "message": "wait"}),
            "PodAutoscaler hello-00002 has no status.desiredScale yet (Queued: wait)",
            id="no scale",
        ),
    ],
)
def test_autoscaler_silent(autoscaler: Wire | None, says: str) -> None:
    new = worlds.spa(NEW, 3, 3, desired=0, actual=0)
    new["status"] = {}
    assert causes(world(new, autoscaler)) == [f"autoscaler-silent delays: {says}"]
    assert causes(world(new, autoscaler, conditions=LONG))[0] == f"autoscaler-silent stops: {says}"


def test_pod_autoscalers_that_may_not_be_read_say_nothing() -> None:
    new = worlds.spa(NEW, 3, 3, desired=3, actual=1)
    assert causes(world(new, None), [Unread(POD_AUTOSCALERS, "forbidden")]) == []


def test_autoscaler_lags_on_the_way_up() -> None:
    new = worlds.spa(NEW, 3, 3, desired=1, actual=1)
    said = "PodAutoscaler hello-00002 wants 1 replica, the stage needs 3"
    assert causes(world(new, worlds.pod_autoscaler(NEW, 1, 1))) == [f"autoscaler-lags delays: {said}"]
    assert causes(world(new, worlds.pod_autoscaler(NEW, 1, 1), conditions=LONG)) == [f"autoscaler-lags stops: {said}"]


def test_a_deployment_that_lags_behind_its_autoscaler() -> None:
    lagging = world(worlds.spa(NEW, 3, 3, desired=3, actual=1), worlds.pod_autoscaler(NEW, 3, 1))
    lagging[DEPLOYMENTS] = [worlds.deployment(NEW, 1, 1)]
    said = "the Deployment of hello-00002 wants 1 replica, its PodAutoscaler 3"
    assert causes(lagging) == [f"autoscaler-lags delays: {said}"]


def test_autoscaler_lags_on_the_way_down() -> None:
    going_down = {"StageScaleUpReady": "True", "StageTrafficReady": "True", "StageScaleDownReady": "Unknown"}
    new = worlds.spa(NEW, 3, 3, desired=3, actual=3)
    found = causes(world(new, worlds.pod_autoscaler(NEW, 3, 3), conditions=going_down))
    assert found == ["autoscaler-lags delays: PodAutoscaler hello-00001 wants 4 replicas, the stage 2 at most"]
