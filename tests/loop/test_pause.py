"""People pause a rollout by annotations: what the loop does, writes and says then, and how a pause ends."""

from datetime import datetime, timedelta

import pytest

from tests.loop.steering import BY_ALICE, annotate, annotations, complete, recorded, rolling, turns, until_stage
from tests.loop.world import World, entry, two_revisions
from webhook.api.steering import PAUSE, PAUSE_AFTER_STAGE, PAUSE_BY, PAUSE_UNTIL
from webhook.api.wire import format_time
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.planning.pause import SECONDS_LEFT
from webhook.planning.stage_number import STAGES_DONE

PAUSED = "Paused by alice: load test."


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_a_paused_rollout_finishes_its_stage_and_begins_no_other(strategy: str) -> None:
    world = until_stage(rolling(strategy), 2)
    stage = world.stage()
    turns(annotate(world, BY_ALICE), 400)

    assert world.stage() == stage, "no percent changes, however late the stage is"
    assert world.condition("StageReady") == ("True", ""), "scaling within the stage went on to its end"
    assert world.condition("Paused") == ("True", "Paused")
    assert (world.condition("Ready"), world.condition_message("Ready")) == (("Unknown", "Paused"), PAUSED)
    assert world.condition("Reconciling") == ("True", "Paused")
    assert world.condition("Stalled") == ("", "")
    assert world.emitted().count(f"Normal Paused: {PAUSED}") == 1
    assert world.forget().settle().written() == [], "a paused rollout costs nothing"

    complete(annotate(world, {PAUSE: None, PAUSE_BY: None}))
    assert world.condition("Paused") == ("", "")
    assert world.reasons().count("Resumed") == 1


def test_the_time_of_a_stage_stands_still_during_a_pause() -> None:
    world = two_revisions(World(), replicas=4).settle()
    finish = datetime.fromisoformat(world.ro()["spec"]["targetFinishTime"])
    world.clock.advance(50)
    left = int((finish - world.clock.now()).total_seconds())
    annotate(world, BY_ALICE).settle()
    assert recorded(world, SECONDS_LEFT) == str(left)

    world.clock.advance(3600)
    assert "StageTimedOut" not in world.settle().reasons()
    annotate(world, {PAUSE: None, PAUSE_BY: None}).settle()
    moved = datetime.fromisoformat(world.ro()["spec"]["targetFinishTime"])
    assert (moved - world.clock.now().replace(microsecond=0)).total_seconds() == pytest.approx(left, abs=1)
    assert recorded(world, SECONDS_LEFT) is None
    assert "StageTimedOut" not in world.reasons()

    world.clock.advance(left + 5)
    assert "StageTimedOut" in world.settle().reasons()


def test_a_process_that_ends_before_it_has_stored_the_end_of_a_pause_moves_the_time_no_further() -> None:
    world = two_revisions(World(), replicas=4).settle()
    annotate(world, BY_ALICE).settle()
    left = int(recorded(world, SECONDS_LEFT) or 0)
    world.clock.advance(600)
    status = world.ro()["status"]
    annotate(world, {PAUSE: None, PAUSE_BY: None}).settle()
    world.api.put(ROLLOUT_ORCHESTRATORS, {**world.ro(), "status": status})
    world.start()
    world.settle()
    moved = datetime.fromisoformat(world.ro()["spec"]["targetFinishTime"])
    assert left - 1 <= (moved - world.clock.now()).total_seconds() <= left


def test_a_pause_ends_by_itself_and_leaves_no_annotation() -> None:
    world = two_revisions(World(), replicas=4).settle()
    until = world.clock.now().replace(microsecond=0) + timedelta(minutes=30)
    annotate(world, {**BY_ALICE, PAUSE_UNTIL: format_time(until)}).settle()
    assert world.condition_message("Paused") == f"{PAUSED} It resumes at {format_time(until)}."

    world.clock.advance(29 * 60)
    assert world.settle().condition("Paused") == ("True", "Paused")
    world.clock.advance(62)
    world.settle()
    assert world.condition("Paused") == ("", "")
    assert annotations(world) == {}
    assert world.reasons().count("Resumed") == 1
    complete(world)


@pytest.mark.parametrize("number", [1, 2])
def test_a_pause_after_a_stage_begins_once_that_stage_is_done(number: int) -> None:
    world = annotate(rolling(), {**BY_ALICE, PAUSE_AFTER_STAGE: str(number)})
    turns(world, 60)
    assert world.reasons().count("StageStarted") == number
    assert recorded(world, STAGES_DONE) == str(number)
    assert world.condition("Paused") == ("True", "Paused")
    complete(annotate(world, {PAUSE: None, PAUSE_BY: None, PAUSE_AFTER_STAGE: None}))


def test_a_pause_after_a_stage_that_the_rollout_never_comes_to_is_taken_away_at_its_end() -> None:
    world = complete(annotate(rolling(), {**BY_ALICE, PAUSE_AFTER_STAGE: "99"}))
    assert annotations(world) == {}
    assert "Paused" not in world.reasons()


def test_a_pause_after_a_stage_that_has_begun_holds_targets_that_come_meanwhile() -> None:
    gate = {**BY_ALICE, PAUSE_AFTER_STAGE: "2"}
    world = turns(annotate(rolling(), gate), 60)
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    stage = world.stage()
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10)])
    turns(world, 60)
    assert (world.stage(), world.condition("Paused")) == (stage, ("True", "Paused"))
    complete(annotate(world, dict.fromkeys(gate)))
    assert world.stage()["hello-00003"][0] == 100


def test_a_pause_of_a_complete_rollout_holds_the_next_one() -> None:
    world = annotate(complete(rolling()), BY_ALICE).settle()
    assert (world.condition("Ready"), world.condition("Paused")) == (("True", ""), ("True", "Paused"))
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    stage = world.stage()
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10)])
    turns(world, 5)
    assert (world.stage(), world.condition("Ready")) == (stage, ("Unknown", "Paused"))
    complete(annotate(world, {PAUSE: None, PAUSE_BY: None}))
    assert world.stage()["hello-00003"][0] == 100


def test_what_resuming_by_hand_leaves_behind_is_taken_away() -> None:
    world = annotate(two_revisions(World()), {**BY_ALICE, PAUSE_AFTER_STAGE: "1"}).settle()
    annotate(world, {PAUSE: None}).settle()
    assert annotations(world) == {}


def test_a_pause_without_a_name_says_that_it_is_not_known_and_one_that_is_malformed_holds() -> None:
    world = annotate(two_revisions(World()), {PAUSE: "x", PAUSE_UNTIL: "soon"}).settle()
    assert world.condition_message("Paused") == "Paused by not known: x."
    (ignored,) = (text for text in world.emitted() if "SteeringIgnored" in text)
    assert ignored.startswith("Warning SteeringIgnored: stagegate.dev/pause-until: must be a time, such as ")


def test_an_annotation_that_cannot_be_read_is_said_once_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    def said() -> tuple[list[str], int]:
        logged = [record.getMessage() for record in caplog.records if "SteeringIgnored" in record.getMessage()]
        return logged, world.reasons().count("SteeringIgnored")

    world = turns(annotate(rolling(), {PAUSE: "x", PAUSE_UNTIL: "soon"}), 5)
    (first,), count = said()
    assert first.startswith("RolloutOrchestrator default/hello: SteeringIgnored: stagegate.dev/pause-until: must be a")
    assert count == 1

    turns(annotate(world, {PAUSE: "y", PAUSE_AFTER_STAGE: "none"}), 5)
    logged, count = said()
    assert (len(logged), count) == (2, 2)
    assert "stagegate.dev/pause-after-stage" in logged[1]

    turns(annotate(world, {PAUSE_UNTIL: None, PAUSE_AFTER_STAGE: None}), 2)
    turns(annotate(world, {PAUSE_UNTIL: "soon"}), 2)
    assert said()[1] == 3, "what was corrected in between is new"
