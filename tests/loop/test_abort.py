"""People abort or retry a rollout by annotations: what the loop does, writes and says then."""

import pytest

from tests.loop.steering import BY_ALICE, BY_BOB, annotate, annotations, complete, recorded, rolling, turns, until_stage
from tests.loop.world import World, autoscale, entry, two_revisions
from webhook.api.steering import ABORT, ABORT_BY, ABORT_REASON, PAUSE, PAUSE_BY, RETRY, RETRY_BY
from webhook.cluster.errors import ApiError
from webhook.planning.abort import ABORT_RECORD

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


def test_an_abort_that_is_taken_back_at_the_end_of_a_pause_does_not_pass_for_complete() -> None:
    """The way back was stored, its record was not, and the pause let nothing plan until the end."""
    world = annotate(until_stage(rolling(), 1), BY_BOB).settle()
    world.api.fail = lambda request: (
        ApiError(request.call, "later", status=503)
        if request.method == "PATCH" and request.path.endswith("rolloutorchestrators/hello/status")
        else None
    )
    for _ in range(20):
        autoscale(world, 4)
        world.clock.advance(1)
        world.settle()
    assert world.stage() == {"hello-00001": (100, None)}
    annotate(world, BY_ALICE)
    world.api.fail = lambda request: None
    complete(world, condition=("False", "Aborted"))
    annotate(world, dict.fromkeys((*BY_ALICE, *BY_BOB)))
    complete(world)
    assert world.stage()["hello-00002"][0] == 100
