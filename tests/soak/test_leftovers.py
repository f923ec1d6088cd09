"""What a soak must not leave behind: each thing is noticed, and nothing else."""

from typing import Any

import pytest

from tests.soak.leftovers import leftovers, too_many_events
from tests.soak.world import READ, World
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
    Resource,
)

Wire = dict[str, Any]
NEW = "shop-00002"
OWN = {"autoscaling.knative.dev/min-scale": "4"}


def one(name: str, *, annotations: dict[str, str] | None = None, service: str = "shop", **rest: Any) -> Wire:
    labels = {"serving.knative.dev/service": service}
    return {"metadata": {"name": name, "generation": 3, "labels": labels, "annotations": annotations or {}}, **rest}


def world(*changes: tuple[Resource, Wire]) -> World:
    ready = {"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True"}]}
    traffic = [{"revisionName": NEW, "percent": 100}, {"revisionName": "shop-00001", "percent": 0}]
    objects: dict[Resource, dict[str, Wire]] = {resource: {} for resource in READ}
    usual = [
        (KNATIVE_SERVICES, one("shop", status=ready)),
        (ROUTES, one("shop", status={"traffic": traffic})),
        (ROLLOUT_ORCHESTRATORS, one("shop")),
        *((REVISIONS, one(name, annotations=OWN)) for name in ("shop-00001", NEW)),
        (STAGE_POD_AUTOSCALERS, one(NEW)),
    ]
    for resource, wire in (*usual, *changes):
        objects[resource][wire["metadata"]["name"]] = wire
    return World(objects)


HALF = [{"revisionName": NEW, "percent": 50}, {"revisionName": "shop-00001", "percent": 50}]
WHOLE = [{"revisionName": NEW, "percent": 100}]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        pytest.param([], [], id="complete"),
        pytest.param(
            [(ROUTES, one("shop", annotations={"stagegate.dev/hold": "{}"}, status={"traffic": WHOLE}))],
            ["Route shop is still held", "Service shop is not complete"],
            id="a hold",
        ),
        pytest.param(
            [(ROUTES, one("shop", status={"traffic": HALF}))],
            ["Service shop is not complete"],
            id="half of the traffic",
        ),
        pytest.param(
            [(KNATIVE_SERVICES, one("shop", status={"observedGeneration": 2, "conditions": []}))],
            ["Service shop is not complete"],
            id="not Ready as it is now",
        ),
        pytest.param(
            [(ROLLOUT_ORCHESTRATORS, one("gone", service="gone"))],
            ["RolloutOrchestrator gone is left of Service gone"],
            id="a rollout of a Service that is deleted",
        ),
        pytest.param(
            [(STAGE_POD_AUTOSCALERS, one("shop-00009"))],
            ["StagePodAutoscaler shop-00009 is left without its Revision"],
            id="an SPA without a Revision",
        ),
        pytest.param(
            [(REVISIONS, one("shop-00001", annotations=OWN | {"autoscaling.knative.dev/max-scale": "1"}))],
            ["Revision shop-00001 is left with"],
            id="bounds that are not the Revision's own",
        ),
    ],
)
def test_what_is_left(changes: list[tuple[Resource, Wire]], problems: list[str]) -> None:
    found = list(leftovers(world(*changes), {"shop": NEW}))
    assert len(found) == len(problems), found
    assert all(line.startswith(problem) for line, problem in zip(found, problems, strict=True)), found


@pytest.mark.parametrize(
    ("count", "component", "problems"),
    [
        pytest.param(160, "stagegate-loop", [], id="within the rate"),
        pytest.param(161, "stagegate-loop", ["Service shop has 161 Events"], id="beyond it"),
        pytest.param(500, "route-controller", [], id="of somebody else"),
    ],
)
def test_events_keep_to_their_rate(count: int, component: str, problems: list[str]) -> None:
    event = {"involvedObject": {"kind": "Service", "name": "shop"}, "source": {"component": component}}
    assert too_many_events([event] * count, seconds=600.0) == problems
