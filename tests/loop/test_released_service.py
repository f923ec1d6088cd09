"""Services on stock Knative that are released before the end: opt-outs, requests, refusals, traffic, lost pins."""

import pytest

from tests.loop.knative import LOWERED, NEW, OLD, THIRD, Knative, by_resourceutil, carry
from tests.loop.world import World
from webhook.cluster.errors import ApiError, Forbidden
from webhook.cluster.resource import KNATIVE_SERVICES, NAMESPACES, REVISIONS, ROLLOUT_ORCHESTRATORS, ROUTES
from webhook.cluster.transport import Request

# Opt-outs and requests


def opt_out(knative: Knative) -> None:
    service = knative.service
    service["metadata"]["annotations"] = {"stagegate.dev/progressive": "false"}
    knative.world.api.put(KNATIVE_SERVICES, service)


def test_an_opt_out_in_the_middle_lets_the_target_run_its_own_minimum_first(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    opt_out(knative)
    knative.path.clear()
    carry(knative)
    moved = next(pods for shares, pods in knative.path if shares == {NEW: 100})
    assert moved[NEW] == 4
    waiting = f"this waits for {NEW} to run 4 replicas (it runs 1)"
    assert [line for line in knative.world.emitted() if "ReleaseWaiting" in line and line.endswith(waiting)]
    for _ in range(3):
        knative.turn()
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})
    knative.world.settle()
    assert knative.world.condition("Ready") == ("True", "")


def test_an_opt_out_gives_a_new_revision_that_never_runs_its_own_bounds_before_the_route_is_given_back(
    knative: Knative,
) -> None:
    knative.hanging.add(NEW)
    knative.edit(2, born=LOWERED)
    knative.world.settle()
    opt_out(knative)
    knative.world.settle()
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert knative.route["spec"]["traffic"][0]["revisionName"] == OLD, "Knative has not read the own bounds"
    carry(knative)
    assert knative.shares() == {OLD: 100}


def test_an_opt_out_before_the_loop_has_made_an_ro_waits_for_the_replicas_too(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.turn()
    opt_out(knative)
    knative.world.settle()
    assert knative.annotations(NEW) == {"min-scale": "4"}
    assert knative.is_held

    while knative.pods[NEW] < 4:
        knative.turn()
        knative.world.settle()
    assert knative.route["spec"]["traffic"] == [{"configurationName": "hello", "latestRevision": True, "percent": 100}]


def test_an_opt_out_of_the_namespace_releases_too() -> None:
    world = World()
    knative = Knative(world).start(min_scale="4")
    knative.world.api.put(
        NAMESPACES, {"metadata": {"name": "default", "labels": {"stagegate.dev/progressive": "true"}}}
    )
    service = knative.service
    service["metadata"]["annotations"] = {}
    world.api.put(KNATIVE_SERVICES, service)
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.world.api.put(NAMESPACES, {"metadata": {"name": "default", "labels": {}}})
    carry(knative)
    knative.turn()
    assert knative.shares() == {NEW: 100}


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_a_service_whose_rollout_is_refused_for_good_is_given_back(knative: Knative, verb: str) -> None:
    world = knative.world

    def refuse(request: Request) -> ApiError | None:
        is_refused = request.call.resource == ROLLOUT_ORCHESTRATORS.plural and request.call.verb == verb
        return Forbidden(request.call, "denied by policy.example.com", status=403) if is_refused else None

    world.api.fail = refuse
    knative.edit(2, born=LOWERED)
    carry(knative, turns=200)
    refusal = f"{verb} rolloutorchestrators default/hello: denied by policy.example.com"
    released = [line for line in world.emitted() if "RolloutReleased" in line]
    assert len(released) == 1
    assert refusal in released[0]
    for _ in range(3):
        knative.turn()
    assert (knative.shares(), knative.pods[NEW]) == ({NEW: 100}, 4)
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})


def test_a_release_that_is_asked_for_on_the_service_needs_no_rollout(knative: Knative) -> None:
    def refuse(request: Request) -> ApiError | None:
        is_ro = request.call.resource == ROLLOUT_ORCHESTRATORS.plural and request.call.verb != "list"
        return Forbidden(request.call, "no", status=403) if is_ro else None

    knative.world.api.fail = refuse
    knative.edit(2, born=LOWERED)
    knative.turn()
    knative.world.settle()
    service = knative.service
    service["metadata"]["annotations"]["stagegate.dev/release"] = NEW
    knative.world.api.put(KNATIVE_SERVICES, service)
    carry(knative, turns=20)
    assert "ReleaseRequested: stagegate.dev/release of the Service names hello-00002" in " ".join(
        knative.world.emitted()
    )


# Rollbacks by explicit traffic


def test_a_rollback_by_explicit_traffic_acts_at_once(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 50, NEW: 50})
    service = knative.service
    service["spec"]["traffic"] = [{"revisionName": OLD, "percent": 100}]
    knative.world.api.put(KNATIVE_SERVICES, service)
    knative.world.settle()
    assert knative.route["spec"]["traffic"] == [{"revisionName": OLD, "percent": 100}]
    assert knative.annotations(OLD) == {"min-scale": "4"}
    carry(knative)


def test_a_rollback_that_keeps_a_tag_on_the_new_revision_ends_the_hold(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares().get(NEW) == 50)
    service = knative.service
    service["spec"]["traffic"] = [
        {"revisionName": OLD, "percent": 100},
        {"latestRevision": True, "percent": 0, "tag": "new"},
    ]
    knative.world.api.put(KNATIVE_SERVICES, service)
    carry(knative)
    assert knative.annotations(NEW) == {"min-scale": "4"}


# Pins and Routes


def test_a_deleted_route_leaves_no_bounds_behind(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    carry(knative, lambda: knative.shares() == {OLD: 75, NEW: 25})
    knative.world.api.remove(ROUTES, "default", "hello")
    knative.world.settle()
    stock = {"configurationName": "hello", "latestRevision": True, "percent": 100}
    knative.world.api.put(ROUTES, {"metadata": {"name": "hello", "uid": "another"}, "spec": {"traffic": [stock]}})
    for _ in range(10):
        knative.turn()
        knative.world.settle()
    assert (knative.annotations(OLD), knative.annotations(NEW)) == ({"min-scale": "4"}, {"min-scale": "4"})
    assert not knative.is_held
    assert knative.world.condition("Ready") == ("True", "")


def test_a_route_that_was_pinned_a_moment_ago_is_no_orphan(knative: Knative) -> None:
    """The cache of Routes lags behind that of Revisions: the Route is read before bounds are restored."""
    world = knative.world
    knative.edit(2, born=LOWERED)
    caches = world.loop.caches
    for cache in (caches.revisions, caches.pod_autoscalers):
        for reflector in cache.reflectors:
            reflector.step()
    while world.loop.workers.step():
        pass
    assert knative.annotations(NEW)["min-scale"] == "1"
    carry(knative)


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_pin_whose_revision_is_not_stored_yet_resumes_no_finished_rollout(strategy: str) -> None:
    world = World()
    world.settings(over_consumption_ratio="25")
    knative = Knative(world, demand=8).start()
    if strategy == "resourceutil":
        by_resourceutil(knative)
    world.settle().forget()
    knative.edit(2)
    carry(knative, turns=600)
    knative.demand = 1
    for _ in range(20):
        knative.turn()
        world.settle()
    assert knative.pods == {OLD: 0, NEW: 1}
    world.forget()
    knative.edit(3)
    world.api.remove(REVISIONS, "default", THIRD)
    world.settle()
    assert world.written() == []


def test_a_pin_without_a_revision_is_released_after_half_a_minute(knative: Knative) -> None:
    knative.edit(2, born=LOWERED)
    knative.world.api.remove(REVISIONS, "default", NEW)
    knative.world.settle()
    assert knative.is_held
    knative.world.clock.advance(31)
    carry(knative)
    assert knative.world.api.get(ROLLOUT_ORCHESTRATORS, "default", "hello") is None
