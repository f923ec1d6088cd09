"""Causes between the shares of a stage and the requests."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, OLD, ago, causes
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
)
from webhook.knative.hold import Hold

Wire = dict[str, Any]
HOLD = Hold("held", {OLD: 100}, NEW, "uid-service").to_annotation()
OWNED = [{"kind": "Service", "name": "hello", "uid": "uid-service", "controller": True}]
MOVING = {"StageScaleUpReady": "True", "StageTrafficReady": "Unknown"}


def held_route(traffic: dict[str, int], **changes: Any) -> Wire:
    return worlds.route(traffic, hold=HOLD, **changes)


def moving(since: float = 40, detail: str = "") -> Wire:
    """An owned RO whose traffic has been moving for so many seconds."""
    message = f"Rolling out a new stage{f': {detail}' if detail else ''}."
    traffic = {"status": "Unknown", "lastTransitionTime": ago(since), "message": message}
    return worlds.ro({**MOVING, "StageTrafficReady": traffic}, metadata__ownerReferences=OWNED)


UP: dict[Any, list[Wire]] = {
    STAGE_POD_AUTOSCALERS: [worlds.spa(OLD, 4, 10, desired=4, actual=4), worlds.spa(NEW, 1, 1, desired=1, actual=1)],
    POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 4, 4), worlds.pod_autoscaler(NEW, 1, 1)],
    PODS: [worlds.pod(OLD), worlds.pod(NEW)],
}


@pytest.mark.parametrize(
    ("since", "effect"), [pytest.param(5, "delays", id="a moment ago"), pytest.param(60, "stops", id="long ago")]
)
def test_a_route_that_is_held_without_a_rollout(since: float, effect: str) -> None:
    waiting = {"status": "Unknown", "lastTransitionTime": ago(since)}
    world = {
        ROLLOUT_ORCHESTRATORS: [],
        STAGE_POD_AUTOSCALERS: [],
        ROUTES: [held_route({OLD: 100})],
        KNATIVE_SERVICES: [worlds.service(waiting)],
    }
    assert causes(world) == [
        (
            f"hold-without-rollout {effect}: Route hello is held for {NEW} at {OLD} 100%, and there is no"
            " RolloutOrchestrator that carries it on"
        )
    ]


def test_a_newcomer_that_has_failed_is_quoted() -> None:
    failed = {
        "status": "False",
        "reason": "ContainerMissing",
        "message": "image not found.",
        "lastTransitionTime": ago(9),
    }
    assert causes({REVISIONS: [worlds.revision(OLD), worlds.revision(NEW, failed)]}) == [
        f"newcomer-not-ready stops: Knative says that Revision {NEW} is not Ready (ContainerMissing: image not found)"
    ]


def test_a_pod_autoscaler_that_has_failed_is_quoted_unless_it_is_at_rest() -> None:
    failed = {"status": "False", "reason": "ImagePullBackOff", "message": "pulling"}
    old = worlds.pod_autoscaler(OLD, 4, 4)
    assert causes({POD_AUTOSCALERS: [old, worlds.pod_autoscaler(NEW, 1, 0, Ready=failed)]}) == [
        f"newcomer-not-ready stops: Knative says that PodAutoscaler {NEW} is not Ready (ImagePullBackOff: pulling)"
    ]
    at_rest = worlds.pod_autoscaler(NEW, 0, 0, Ready={"status": "False", "reason": "NoTraffic"})
    assert not any("newcomer" in line for line in causes({POD_AUTOSCALERS: [old, at_rest]}))


@pytest.mark.parametrize(
    ("ro", "route", "said"),
    [
        pytest.param(
            moving(),
            held_route({OLD: 100}),
            f"route-not-moving delays: Route hello shows {OLD} 100%, the stage wants {OLD} 75%, {NEW} 25%",
            id="for a moment",
        ),
        pytest.param(
            moving(90, "Route hello to move to it"),
            held_route({OLD: 100}, generation=2),
            f"route-not-moving stops: Route hello shows {OLD} 100%, the stage wants {OLD} 75%, {NEW} 25%; Knative has"
            " observed generation 1 of 2; waiting for Route hello to move to it",
            id="for long, and Knative is behind",
        ),
        pytest.param(
            moving(),
            held_route({OLD: 100}, ready={"status": "False", "reason": "RevisionMissing", "message": "gone"}),
            f"route-not-moving stops: Route hello shows {OLD} 100%, the stage wants {OLD} 75%, {NEW} 25%"
            " (RevisionMissing: gone)",
            id="the Route has failed",
        ),
        pytest.param(
            moving(),
            held_route(
                {OLD: 75, NEW: 25},
                ready={"status": "Unknown", "reason": "IngressNotConfigured", "message": "not reconciled"},
            ),
            f"route-not-moving delays: Route hello shows {OLD} 75%, {NEW} 25%, which its ingress does not serve yet"
            " (IngressNotConfigured: not reconciled)",
            id="the ingress does not serve them yet",
        ),
        pytest.param(
            moving(40, f"Route hello to move to {OLD} 75%, {NEW} 25%"),
            held_route(
                {OLD: 75, NEW: 25},
                ready={"status": "Unknown", "reason": "Deploying"},
                IngressReady={"status": "Unknown", "reason": "IngressNotConfigured", "message": "not reconciled"},
            ),
            f"route-not-moving delays: Route hello shows {OLD} 75%, {NEW} 25%, which its ingress does not serve yet"
            " (IngressNotConfigured: not reconciled)",
            id="the ingress says why, and nothing is said twice",
        ),
        pytest.param(
            moving(),
            held_route({OLD: 75, NEW: 25}, generation=2),
            f"route-not-moving delays: Route hello shows {OLD} 75%, {NEW} 25%, which its ingress does not serve yet;"
            " Knative has observed generation 1 of 2",
            id="Ready at an earlier generation",
        ),
        pytest.param(
            moving(),
            held_route({OLD: 75, NEW: 25}),
            f"route-not-moving delays: Route hello serves {OLD} 75%, {NEW} 25%, which the loop has not observed yet",
            id="the loop is behind",
        ),
        pytest.param(worlds.ro(metadata__ownerReferences=OWNED), held_route({OLD: 100}), None, id="it scales up"),
    ],
)
def test_route_not_moving(ro: Wire, route: Wire, said: str | None) -> None:
    assert causes({**UP, ROLLOUT_ORCHESTRATORS: [ro], ROUTES: [route]}) == ([said] if said else [])


@pytest.mark.parametrize(
    ("route", "said"),
    [
        pytest.param(
            worlds.route({OLD: 100}),
            f"traffic-not-carried informs: Route hello is not held for this rollout and shows {OLD} 100%, the stage"
            f" wants {OLD} 75%, {NEW} 25%",
            id="nobody carries it",
        ),
        pytest.param(worlds.route({OLD: 75, NEW: 25}), None, id="somebody does"),
    ],
)
def test_traffic_not_carried(route: Wire, said: str | None) -> None:
    assert causes({**UP, ROUTES: [route]}) == ([said] if said else [])


def test_a_complete_rollout_whose_route_stays_behind() -> None:
    done = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")
    found = causes({**UP, ROLLOUT_ORCHESTRATORS: [worlds.ro(done)], ROUTES: [worlds.route({OLD: 100})]})
    assert [line.partition(" ")[0] for line in found] == ["traffic-not-carried"]


def test_traffic_to_a_revision_that_runs_nothing() -> None:
    none = {
        STAGE_POD_AUTOSCALERS: [worlds.spa(OLD, 4, 10, desired=4, actual=0)],
        POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 4, 0), worlds.pod_autoscaler(NEW, 1, 1)],
        PODS: [],
        ROUTES: [worlds.route({OLD: 75, NEW: 25})],
    }
    said = (
        f"traffic-without-pods stops: 75% of the traffic goes to {OLD}, which runs none of the 4 replicas that its"
        " autoscaler wants: requests wait in the activator, or fail"
    )
    assert said in causes({**UP, **none})
    at_rest = {**none, POD_AUTOSCALERS: [worlds.pod_autoscaler(OLD, 0, 0), worlds.pod_autoscaler(NEW, 1, 1)]}
    assert not any("traffic-without-pods" in line for line in causes({**UP, **at_rest})), "it has scaled to zero"
