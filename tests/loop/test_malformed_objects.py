"""Objects of another shape than Knative writes, which its CRDs let pass: each holds up its own rollout at most."""

from typing import Any

import pytest

from tests.loop.world import World, entry, two_revisions
from webhook.api.kinds import SERVICE_LABEL
from webhook.cluster.resource import KNATIVE_SERVICES, POD_AUTOSCALERS, REVISIONS, ROUTES, Resource

HOLD = {"stagegate.dev/hold": '{"phase":'}
ROWS: dict[str, tuple[Resource, dict[str, Any]]] = {
    "a scale that is text": (POD_AUTOSCALERS, {"status": {"desiredScale": "many", "actualScale": 1}}),
    "a scale that is a list": (POD_AUTOSCALERS, {"status": {"desiredScale": 1, "actualScale": [1]}}),
    "a status that is text": (POD_AUTOSCALERS, {"status": "?"}),
    "conditions that are text": (POD_AUTOSCALERS, {"status": {"conditions": "Ready"}}),
    "a condition that is text": (POD_AUTOSCALERS, {"status": {"conditions": ["Ready", 7, None]}}),
    "a condition without a type": (POD_AUTOSCALERS, {"status": {"conditions": [{}, {"type": ["Ready"]}]}}),
    "conditions of a Revision": (REVISIONS, {"status": {"conditions": "Ready"}}),
    "a Revision without a spec": (REVISIONS, {"spec": 7, "status": 7}),
    "traffic that is text": (ROUTES, {"spec": {"traffic": "all"}, "status": {"traffic": 7}}),
    "an entry of the traffic that is text": (ROUTES, {"spec": {"traffic": ["all"]}, "status": {"traffic": ["all"]}}),
    "a Service without a spec": (KNATIVE_SERVICES, {"spec": "?"}),
    "a Service with traffic that is text": (KNATIVE_SERVICES, {"spec": {"template": 7, "traffic": "?"}}),
    "a Service with an entry that is text": (KNATIVE_SERVICES, {"spec": {"traffic": ["?"]}}),
}


def poison(world: World, resource: Resource, one: dict[str, Any]) -> None:
    """A Service ``bad`` that is about to roll out, whose Route somebody spoilt, and one object of another shape."""
    labels = {SERVICE_LABEL: "bad"}
    named = {KNATIVE_SERVICES: "bad", ROUTES: "bad"}.get(resource, "bad-00002")
    world.api.put(KNATIVE_SERVICES, {"metadata": {"name": "bad"}, "spec": {}})
    world.api.put(ROUTES, {"metadata": {"name": "bad", "annotations": HOLD}, "spec": {}})
    for name in ("bad-00001", "bad-00002"):
        world.revision(name, "bad")
        world.scale(name, 1, service="bad")
    metadata = {"name": named, "labels": labels} | ({"annotations": HOLD} if resource is ROUTES else {})
    world.api.put(resource, {**one, "metadata": metadata})
    world.rollout("bad", initialRevisions=[entry("bad-00001", 100, 1)], targetRevisions=[entry("bad-00002", 100, 1)])


def steps(world: World) -> None:
    """Let everybody act for a while, as long as there is something to do at once."""
    for _ in range(60):
        world.observe()
        for _ in range(60):
            if not world.loop.workers.step():
                break
        world.clock.advance(1)


@pytest.mark.parametrize(("resource", "one"), ROWS.values(), ids=ROWS)
def test_the_others_go_on(resource: Resource, one: dict[str, Any]) -> None:
    world = World()
    poison(world, resource, one)
    two_revisions(world)

    steps(world)

    assert world.loop.caches.ready()
    assert world.stage() != {}
    assert world.bounds("hello-00002") == (1, 10)
    crashes = world.metrics.registry.get_sample_value(
        "stagegate_loop_reconciles_total", {"kind": "rollout", "result": "crashed"}
    )
    assert crashes == 0


def test_the_log_names_the_object(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    poison(world, *ROWS["a scale that is text"])
    steps(world)
    assert (
        "rollout default/bad: not readable: PodAutoscaler bad-00002: status.desiredScale: must be a whole number, not a"
        " string"
    ) in caplog.messages
