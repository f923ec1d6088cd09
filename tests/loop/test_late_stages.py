"""Late stages: past their time, when traffic is shifted, what is said, and clocks that jump."""

import pytest

from tests.loop.world import World, carry, entry, two_revisions


def late(world: World, available: int = 1) -> World:
    """A rollout whose first stage waits for its new revision, three minutes later."""
    two_revisions(world).settle()
    world.deployment("hello-00001", 4, 4)
    world.deployment("hello-00002", 1, available)
    world.settle()
    world.clock.advance(180)
    return world.forget()


def test_a_late_stage_shifts_its_traffic_and_gets_more_time() -> None:
    world = late(World()).settle()
    assert world.stage() == {"hello-00001": (65, 3), "hello-00002": (35, 1)}
    assert world.ro()["spec"]["targetFinishTime"] == "2026-01-02T03:09:05Z"
    assert world.reasons()[0] == "TrafficShifted"


def test_a_late_stage_whose_deployment_is_short_says_so_on_condition_and_in_an_event_once() -> None:
    world = late(World(), available=0).settle()
    assert world.stage() == {"hello-00001": (75, 3), "hello-00002": (25, 1)}
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert world.condition("Ready") == ("Unknown", "StageTimedOut")
    assert world.emitted()[0] == (
        "Warning StageTimedOut: The stage was not done by 2026-01-02T03:06:05Z, and its traffic is not shifted: "
        "Deployment hello-00002-deployment of revision hello-00002 has 0 of 1 replicas available."
    )
    assert world.written() == ["patch rolloutorchestrators/status default/hello"]
    world.forget()
    world.loop.enqueue_everything()
    assert world.settle().written() == [], "what is reported already is not written again"


def test_a_late_stage_is_logged_once_and_its_event_repeats_quietly(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = late(World(), available=0)
    for _ in range(5):
        world.loop.enqueue_everything()
        world.settle()
        world.clock.advance(1)
    repeats = [event.repeats for event in world.events if event.reason == "StageTimedOut"]
    assert (repeats[:1], set(repeats[1:])) == ([False], {True})
    assert len(repeats) > 5
    assert sum("StageTimedOut" in message for message in caplog.messages) == 1


def test_a_deployment_that_becomes_available_lets_a_late_stage_go_on() -> None:
    world = late(World(), available=0).settle()
    world.deployment("hello-00002", 1, 1)
    world.settle()
    assert world.stage()["hello-00002"][0] == 35


def given_up(world: World) -> World:
    """A stage on its way to its last replicas, whose entry going down has no percent any more, and which is late."""
    three = [
        entry("hello-00001", 50, 1, 10, direction="stay", targetReplicas=2),
        entry("hello-00002", None, 1, 10, direction="down", targetReplicas=0),
        entry("hello-00003", 50, 1, 10, direction="up", targetReplicas=2, latestRevision=True),
    ]
    for name, actual in (("hello-00001", 2), ("hello-00002", 1), ("hello-00003", 2)):
        world.revision(name)
        world.scale(name, actual)
        world.deployment(name, actual, actual)
    world.rollout(
        initialRevisions=[entry("hello-00001", 50, 1, 10), entry("hello-00002", 50, 1, 10)],
        stageTargetRevisions=three,
        targetRevisions=[entry("hello-00003", 100, 1, 10, latestRevision=True)],
        targetFinishTime="2026-01-02T03:04:00Z",
    )
    return world


def test_a_late_stage_without_traffic_to_shift_waits_on_and_does_not_fail() -> None:
    world = given_up(World()).settle()
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert any("its traffic is not shifted: no traffic is left to shift" in event for event in world.emitted())
    world.scale("hello-00002", 0)
    world.forget().settle()
    assert "StageComplete" in world.reasons()
    assert "StageTimedOut" not in world.reasons(), "the stage is done"


def test_what_a_late_stage_says_keeps_its_time_while_other_conditions_move() -> None:
    world = late(World(), available=0).settle()
    since = [c["lastTransitionTime"] for c in world.ro()["status"]["conditions"] if c["type"] == "StageReady"]
    world.clock.advance(60)
    world.scale("hello-00002", 1)
    world.settle()
    assert world.condition("StageScaleUpReady")[0] == "True"
    assert world.condition("StageReady") == ("Unknown", "StageTimedOut")
    assert since == [c["lastTransitionTime"] for c in world.ro()["status"]["conditions"] if c["type"] == "StageReady"]


def test_the_time_of_day_may_jump() -> None:
    world = two_revisions(World()).settle()
    world.clock.skew = -86400.0
    world.settle()
    world.clock.skew = 0.0
    carry(world)
