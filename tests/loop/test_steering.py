"""People pause, retry and abort a rollout by annotations: what the loop does, writes and says then."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.loop.world import World, autoscale, entry, two_revisions
from webhook.api.steering import (
    ABORT,
    ABORT_BY,
    ABORT_REASON,
    PAUSE,
    PAUSE_AFTER_STAGE,
    PAUSE_BY,
    PAUSE_UNTIL,
    RETRY,
    RETRY_BY,
)
from webhook.api.wire import format_time
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.planning.abort import ABORT_RECORD
from webhook.planning.pause import SECONDS_LEFT
from webhook.planning.stage_number import STAGES_DONE

BY_ALICE = {PAUSE: "load test", PAUSE_BY: "alice"}
BY_BOB = {ABORT: "hello-00002=100", ABORT_BY: "bob", ABORT_REASON: "errors"}
PAUSED = "Paused by alice: load test."


def annotate(world: World, annotations: Mapping[str, str | None]) -> World:
    """What ``kubectl annotate`` does; None removes."""
    ro = world.ro()
    kept = {**(ro["metadata"].get("annotations") or {}), **annotations}
    metadata = {**ro["metadata"], "annotations": {key: text for key, text in kept.items() if text is not None}}
    world.api.put(ROLLOUT_ORCHESTRATORS, {**ro, "metadata": metadata})
    return world


def annotations(world: World) -> dict[str, str]:
    return dict(world.ro()["metadata"].get("annotations") or {})


def recorded(world: World, key: str) -> str | None:
    text: str | None = (world.ro()["status"].get("annotations") or {}).get(key)
    return text


def turns(world: World, count: int, demand: int = 4) -> World:
    for _ in range(count):
        world.settle()
        autoscale(world, demand)
        world.clock.advance(1)
    return world.settle()


def until_stage(world: World, number: int, demand: int = 4) -> World:
    """Carry a rollout until so many stages have begun."""
    for _ in range(60):
        world.settle()
        if world.reasons().count("StageStarted") >= number:
            return world
        autoscale(world, demand)
        world.clock.advance(1)
    raise AssertionError(world.ro())


def complete(world: World, demand: int = 4, condition: tuple[str, str] = ("True", "")) -> World:
    for _ in range(80):
        world.settle()
        if world.condition("Ready") == condition:
            return world
        autoscale(world, demand)
        world.clock.advance(1)
    raise AssertionError(world.ro())


def rolling(strategy: str = "availability", **spec: Any) -> World:
    """A rollout of stages of 25 percent."""
    world = World()
    world.settings(over_consumption_ratio="25")
    return two_revisions(world, rolloutStrategy=strategy, **spec)


# Pause


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


# Retry


def test_a_retry_clears_the_failure_of_the_present_targets_once() -> None:
    world = World()
    two_revisions(world)
    world.edit(targetRevisions=[{"revisionName": "hello-00002"}])
    world.settle()
    assert world.condition("StageReady")[0] == "False"

    annotate(world.forget(), {RETRY: "hello-00002", RETRY_BY: "bob"}).settle()
    assert annotations(world) == {}
    assert "Normal Retried: by bob: the failure is cleared" in world.emitted()
    assert world.condition("StageReady")[0] == "False", "its reason is still there"
    assert world.forget().settle().written() == []


@pytest.mark.parametrize(
    ("named", "said"),
    [
        pytest.param("hello-00001", "void", id="other targets"),
        pytest.param("hello-00002", "does nothing", id="nothing failed"),
    ],
)
def test_a_retry_without_a_failure_is_taken_away_and_says_so(named: str, said: str) -> None:
    world = annotate(two_revisions(World()).settle().forget(), {RETRY: named, RETRY_BY: "bob"}).settle()
    assert annotations(world) == {}
    assert [said in text for text in world.emitted() if "SteeringIgnored" in text] == [True]


# Abort


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
@pytest.mark.parametrize("begun", [1, 2, 3, 4])
def test_an_abort_leads_back_to_the_initial_revisions_by_stages(strategy: str, begun: int) -> None:
    world = until_stage(rolling(strategy), begun)
    initial, targets = (world.ro()["spec"][key] for key in ("initialRevisions", "targetRevisions"))
    before = world.stage().get("hello-00002", (0, 0))[0] or 0
    annotate(world.forget(), BY_BOB)
    shares = []
    for _ in range(80):
        world.settle()
        shares.append(world.stage().get("hello-00002", (0, 0))[0] or 0)
        if world.condition("Ready") == ("False", "Aborted"):
            break
        autoscale(world, 4)
        world.clock.advance(1)

    assert sorted(shares, reverse=True) == shares, "the share of the new revision only shrinks"
    assert max(one - other for one, other in zip([before, *shares], shares, strict=False)) <= 50
    assert world.stage()["hello-00001"][0] == 100
    assert (world.bounds("hello-00001"), world.bounds("hello-00002")) == ((1, 10), (0, 1))
    spec = world.ro()["spec"]
    assert (spec["initialRevisions"], spec["targetRevisions"]) == (initial, targets), "the author's lists are untouched"
    assert world.condition("Aborted") == ("True", "AbortComplete")
    assert world.condition("Stalled") == ("True", "Aborted")
    assert world.condition_message("Ready") == (
        "Aborted by bob: errors. The rollout is back at hello-00001 100%;"
        " in Git set spec.targetRevisions of hello to hello-00001=100, or to another revision."
    )
    assert [world.reasons().count(reason) for reason in ("Aborted", "AbortComplete", "RolloutComplete")] == [1, 1, 0]
    assert world.forget().settle().written() == [], "an aborted rollout that is back costs nothing"


def test_an_abort_of_a_failed_rollout_leads_back_too() -> None:
    world = until_stage(rolling(), 2)
    world.edit(targetRevisions=[{"revisionName": "hello-00002"}], stageTargetRevisions=None)
    world.settle()
    assert world.condition("StageReady")[0] == "False"
    annotate(world, {**BY_BOB, ABORT: "hello-00002"})
    complete(world, condition=("False", "Aborted"))
    assert world.stage()["hello-00001"][0] == 100


def test_new_targets_void_an_abort() -> None:
    world = until_stage(rolling(), 2)
    complete(annotate(world, BY_BOB), condition=("False", "Aborted"))
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10)])
    complete(world)
    assert annotations(world) == {}
    assert recorded(world, ABORT_RECORD) is None
    assert (world.condition("Aborted"), world.stage()["hello-00003"][0]) == (("", ""), 100)
    assert "AbortVoid" in world.reasons()


def test_targets_that_name_where_an_abort_led_are_complete_at_once() -> None:
    world = complete(annotate(until_stage(rolling(), 2), BY_BOB), condition=("False", "Aborted")).forget()
    world.edit(targetRevisions=[entry("hello-00001", 100, 1, 10)])
    world.settle()
    assert world.condition("Ready") == ("True", "")
    assert world.stage()["hello-00001"][0] == 100


def test_a_retry_takes_an_abort_back() -> None:
    world = complete(annotate(until_stage(rolling(), 2), BY_BOB), condition=("False", "Aborted"))
    annotate(world.forget(), {RETRY: "hello-00002=100", RETRY_BY: "carol"})
    complete(world)
    assert world.stage()["hello-00002"][0] == 100
    assert "Normal Retried: by carol: the abort of hello-00002=100 is taken back" in world.emitted()
    assert annotations(world) == {}


def test_an_abort_ends_a_pause_and_a_later_pause_stops_the_way_back() -> None:
    world = until_stage(rolling(), 4)
    annotate(world, BY_ALICE).settle()
    annotate(world, BY_BOB).settle()
    assert PAUSE not in annotations(world)
    annotate(world, BY_ALICE)
    turns(world, 5)
    stage = world.stage()
    turns(world, 200)
    assert world.stage() == stage
    assert world.condition("Paused") == ("True", "Paused")
    complete(annotate(world, {PAUSE: None, PAUSE_BY: None}), condition=("False", "Aborted"))


@pytest.mark.parametrize(
    ("named", "said"),
    [
        pytest.param("hello-00007=100", "the targets are hello-00002=100 now", id="other targets"),
        pytest.param("hello-00002", "the rollout is complete", id="complete"),
    ],
)
def test_an_abort_that_can_do_nothing_is_taken_away_and_says_so(named: str, said: str) -> None:
    world = complete(rolling()).forget()
    annotate(world, {ABORT: named, ABORT_BY: "bob", ABORT_REASON: "late"}).settle()
    assert annotations(world) == {}
    assert [said in text for text in world.emitted() if "AbortVoid" in text] == [True]
    assert world.condition("Ready") == ("True", "")


def test_an_abort_of_targets_that_were_not_planned_for_yet_keeps_what_runs() -> None:
    world = complete(rolling())
    world.revision("hello-00003")
    world.scale("hello-00003", 0)
    world.edit(targetRevisions=[entry("hello-00003", 100, 1, 10)])
    annotate(world, {**BY_BOB, ABORT: "hello-00003"})
    stage = world.stage()
    complete(world, condition=("False", "Aborted"))
    assert world.stage() == stage
    assert not world.has_spa("hello-00003") or world.bounds("hello-00003") == (0, 1)


@pytest.mark.parametrize("begun", [1, 2, 3])
def test_a_process_that_ends_between_two_writes_of_an_abort_changes_nothing_about_its_end(begun: int) -> None:
    world = until_stage(rolling(), begun)
    annotate(world, BY_BOB)
    for _ in range(60):
        world.start()
        for _ in range(3):
            world.observe()
        world.loop.workers.step()
        if world.condition("Ready") == ("False", "Aborted"):
            break
        world.settle()
        autoscale(world, 4)
        world.clock.advance(1)
    assert world.stage()["hello-00001"][0] == 100
    assert world.bounds("hello-00002") == (0, 1)
