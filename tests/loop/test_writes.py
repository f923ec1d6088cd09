"""Writes of the loop: the version that each is conditional on, and what follows one that fails or is refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cluster.fake_api import FakeApi, status_error
from tests.loop.world import World, autoscale, carry, two_revisions
from webhook.cluster.errors import ApiError, Forbidden, OutcomeUnknown, TooManyRequests, Unavailable
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS
from webhook.cluster.transport import Request
from webhook.loop import workers


def test_every_write_is_on_condition_of_the_version_it_was_decided_on() -> None:
    world = two_revisions(World())
    carry(world)
    for write in world.api.writes:
        if write.verb == "patch" and write.resource != "events":
            assert write.body["metadata"]["resourceVersion"], write


def test_the_loop_reads_its_own_writes_before_the_watch_shows_them() -> None:
    world = two_revisions(World())
    world.observe()
    while world.loop.workers.step():
        pass
    assert world.written().count("create stagepodautoscalers default/hello-00002") == 1
    assert not [write for write in world.written() if write.startswith("update")]
    assert world.condition("StageScaleUpReady") == ("Unknown", "StageRevisionStart")


# Requests that fail


def once(api: FakeApi, method: str, resource: str, problem: Callable[[Request], ApiError], done: bool = False) -> None:
    """Fail one request; ``done`` does it all the same."""
    fired: list[bool] = []

    def hook(request: Request) -> ApiError | None:
        if fired or (request.method, request.call.resource) != (method, resource):
            return None
        fired.append(True)
        return problem(request)

    if done:
        api.after = hook
    else:
        api.fail = hook


@pytest.mark.parametrize("done", [False, True], ids=["not stored", "stored, answer lost"])
@pytest.mark.parametrize(
    "problem",
    [
        lambda request: status_error(request, 409, "Conflict", "modified"),
        lambda request: Unavailable(request.call, "500", status=500),
        lambda request: TooManyRequests(request.call, "slow", status=429, retry_after=3.0),
        lambda request: OutcomeUnknown(request.call, "timed out"),
    ],
    ids=["409", "500", "429", "time-out"],
)
@pytest.mark.parametrize(
    ("method", "resource"),
    [
        ("PATCH", "rolloutorchestrators"),
        ("PATCH", "rolloutorchestrators/status"),
        ("POST", "stagepodautoscalers"),
        ("PATCH", "stagepodautoscalers"),
        ("PATCH", "stagepodautoscalers/status"),
    ],
)
def test_a_rollout_outlives_a_request_that_fails(
    method: str, resource: str, problem: Callable[[Request], ApiError], done: bool
) -> None:
    world = two_revisions(World())
    once(world.api, method, resource, problem, done)
    carry(world)
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == ((0, 1), (1, 10))


def test_after_a_conflict_the_object_is_read_afresh() -> None:
    world = two_revisions(World()).settle()
    world.forget()
    once(world.api, "PATCH", "rolloutorchestrators/status", lambda r: status_error(r, 409, "Conflict", "modified"))
    world.scale("hello-00002", 1)
    world.settle()
    assert ("get", "rolloutorchestrators") in {(call.verb, call.resource) for call in world.api.reads}


@pytest.mark.parametrize("resource", ["stagepodautoscalers", "rolloutorchestrators", "rolloutorchestrators/status"])
def test_a_conflict_is_told_to_nobody(resource: str) -> None:
    world = two_revisions(World())
    once(world.api, "PATCH", resource, lambda r: status_error(r, 409, "Conflict", "modified"))
    carry(world)
    assert not [event for event in world.emitted() if event.startswith("Warning")]


# Refusals


def test_a_write_that_is_refused_is_told_on_the_rollout() -> None:
    world = two_revisions(World())
    world.api.fail = lambda request: (
        status_error(request, 422, "Invalid", "denied by a policy")
        if (request.method, request.call.resource) == ("PATCH", "rolloutorchestrators")
        else None
    )
    world.settle()
    assert world.emitted() == ["Warning WriteRefused: patch rolloutorchestrators default/hello: denied by a policy"]


@pytest.mark.parametrize("steps", [True, False])
@pytest.mark.parametrize(("code", "reason"), [(422, "Invalid"), (403, "Forbidden"), (400, "BadRequest")])
def test_a_refused_write_to_an_spa_that_lacks_something_is_told_on_the_rollout(
    steps: bool, code: int, reason: str
) -> None:
    world = two_revisions(World(steps=steps))
    world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "hello-00001", "namespace": "default"}})
    world.api.fail = lambda request: (
        status_error(request, code, reason, "denied by a policy")
        if (request.method, request.call.resource) == ("PATCH", "stagepodautoscalers")
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers default/hello-00001: denied by a policy"
    assert f"Warning WriteRefused: {refused}" in world.emitted()


def test_a_refused_write_of_an_spa_status_is_told_on_the_rollout() -> None:
    world = two_revisions(World())
    world.api.fail = lambda request: (
        status_error(request, 403, "Forbidden", "the account may not")
        if request.call.resource == "stagepodautoscalers/status"
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers/status default/hello-00001: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()


def test_a_refused_write_to_an_spa_that_belongs_to_nobody_is_told_on_the_spa() -> None:
    world = World()
    world.api.put(STAGE_POD_AUTOSCALERS, {"metadata": {"name": "alone", "namespace": "default"}})
    world.scale("alone", 1)
    world.api.fail = lambda request: (
        status_error(request, 403, "Forbidden", "the account may not")
        if request.call.resource == "stagepodautoscalers/status"
        else None
    )
    world.settle()
    refused = "patch stagepodautoscalers/status default/alone: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()
    assert {event.regarding["kind"] for event in world.events} == {"StagePodAutoscaler"}


def test_a_deletion_that_is_refused_says_which_and_why() -> None:
    world = two_revisions(World())
    world.spa_object("hello-00000")
    world.api.fail = lambda request: (
        Forbidden(request.call, "the account may not", status=403) if request.method == "DELETE" else None
    )
    world.observe()
    with pytest.MonkeyPatch.context() as patch:
        logged: list[str] = []
        patch.setattr(workers._LOG, "log", lambda level, form, *values: logged.append(form % values))
        while world.loop.workers.step():
            pass
    refused = "delete stagepodautoscalers default/hello-00000: the account may not"
    assert f"Warning WriteRefused: {refused}" in world.emitted()
    assert any(refused in line for line in logged), logged


# Requests that are stored otherwise


def mutate(world: World, most: int) -> None:
    """What a mutating webhook does: no SPA may state another maximum."""
    send = world.api.send

    def altered(request: Request) -> object:
        if request.call.resource == "stagepodautoscalers" and request.body is not None:
            body = {**request.body, "spec": {**request.body["spec"], "stageMaxScale": most}}
            return send(replace(request, body=body))
        return send(request)

    world.api.send = altered  # type: ignore[method-assign]


ALTERED = (
    "Warning BoundsAltered: StagePodAutoscaler hello-00001 was stored with bounds {} instead of {}: an admission"
    " webhook or a policy of the cluster changes what the loop writes; exempt the loop's account"
)


def test_bounds_that_the_cluster_alters_are_said_and_written_again_later(caplog: pytest.LogCaptureFixture) -> None:
    world = two_revisions(World()).settle()
    mutate(world, 99)
    autoscale(world, 4)
    world.settle()
    said = ALTERED.format("1..99", "1..2")
    assert said in world.emitted()
    assert said.removeprefix("Warning BoundsAltered: ") in caplog.text
    writes = world.written().count("patch stagepodautoscalers default/hello-00001")

    del world.api.send
    world.clock.advance(61)
    world.settle()

    assert world.bounds("hello-00001") == (1, 2)
    assert world.written().count("patch stagepodautoscalers default/hello-00001") == writes + 1


def test_a_bound_that_the_cluster_fills_in_is_not_altered() -> None:
    world = two_revisions(World(), high=10)
    mutate(world, 10)
    world.settle()
    assert world.bounds("hello-00002") == (1, 10)
    assert "BoundsAltered" not in " ".join(world.emitted())
