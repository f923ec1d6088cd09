"""Restarts: a loop that dies after any write, and what the next one makes of what is stored."""

import pytest

from tests.loop.world import World, autoscale, carry, entry, two_revisions
from webhook.cluster.errors import ApiError, Unavailable
from webhook.cluster.transport import Request


@pytest.mark.parametrize("kill_after", range(1, 16))
def test_a_loop_killed_after_any_write_is_taken_up_by_the_next(kill_after: int) -> None:
    world = two_revisions(World())

    def die(request: Request) -> ApiError | None:
        return (
            Unavailable(request.call, "killed")
            if request.method != "GET" and len(world.api.writes) >= kill_after
            else None
        )

    world.api.fail = die
    for _ in range(3):
        world.observe()
        while world.loop.workers.step():
            pass
        autoscale(world, 4)
    world.api.fail = lambda request: None
    world.start()
    carry(world)
    assert world.bounds("hello-00001") == (0, 1)


@pytest.mark.parametrize("moved", [{}, {"hello-00001": 14}, {"hello-00002": 3}], ids=["", "more of old", "more of new"])
def test_a_stage_that_was_stored_before_the_loop_died_is_not_planned_again(moved: dict[str, int]) -> None:
    world = two_revisions(World(), replicas=10, high=20)

    def die_after_the_second_stage(request: Request) -> ApiError | None:
        stored = [write for write in world.api.writes if write.resource == "rolloutorchestrators"]
        return Unavailable(request.call, "killed") if request.method != "GET" and len(stored) == 2 else None

    world.api.fail = die_after_the_second_stage
    while world.stage().get("hello-00002") != (20, 2):
        world.observe()
        while world.loop.workers.step():
            pass
        autoscale(world, 10) if world.stage()["hello-00002"] == (10, 1) else None
    second = world.stage()
    world.api.fail = lambda request: None
    for name, actual in moved.items():
        world.scale(name, actual)
    world.forget()
    world.clock.advance(30)
    world.start()
    world.settle()
    assert world.stage() == second
    assert "patch rolloutorchestrators default/hello" not in world.written()
    carry(world, demand=10)


def test_targets_that_are_taken_back_while_the_loop_is_dead_lead_back() -> None:
    world = two_revisions(World())
    carry(world)
    world.revision("hello-00003")
    world.scale("hello-00003", 0)

    def die_after_the_stage(request: Request) -> ApiError | None:
        is_stored = "hello-00003" in world.stage()
        return Unavailable(request.call, "killed") if request.method != "GET" and is_stored else None

    world.api.fail = die_after_the_stage
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)])
    world.observe()
    while world.loop.workers.step():
        pass
    assert "hello-00003" in world.stage(), "stored, and not on record"
    world.edit(targetRevisions=[entry("hello-00002", 100, 1, 10, latestRevision=True)])
    world.api.fail = lambda request: None
    world.start()
    world.settle()
    assert "hello-00003" not in world.stage()
    carry(world)
    assert world.stage()["hello-00002"][0] == 100
    assert world.condition("Ready") == ("True", "")


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_targets_that_are_taken_back_when_their_bounds_are_lowered_get_them_again(strategy: str) -> None:
    """The loop lowers for the next stage what the rollout was complete with, and dies before the stage is on record."""
    world = two_revisions(World(), replicas=1, low=0, rolloutStrategy=strategy)
    carry(world, demand=1)
    world.revision("hello-00003")
    world.scale("hello-00003", 0)

    def die_before_the_status(request: Request) -> ApiError | None:
        is_lowered = strategy == "availability" or world.bounds("hello-00002") == (0, 1)
        died = "hello-00003" in world.stage() and is_lowered
        return Unavailable(request.call, "killed") if request.method != "GET" and died else None

    world.edit(targetRevisions=[entry("hello-00003", 100, 0, 10, latestRevision=True)])
    world.api.fail = die_before_the_status
    world.observe()
    while world.loop.workers.step():
        pass
    assert world.condition("Ready") == ("True", ""), "as it was for the former targets"
    assert "hello-00003" in world.stage()
    world.edit(targetRevisions=[entry("hello-00002", 100, 0, 10, latestRevision=True)])
    world.api.fail = lambda request: None
    world.start()
    carry(world, demand=1)
    world.settle()
    assert world.bounds("hello-00002") == (0, 10)
    assert world.condition("Ready") == ("True", "")
