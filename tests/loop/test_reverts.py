"""Stage bounds that another client changes: when the loop sets them back, and which Events say so."""

from collections.abc import Callable

import pytest

from tests.loop.world import World, autoscale, entry, two_revisions
from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.wire import Wire
from webhook.cluster.errors import Unavailable
from webhook.cluster.resource import STAGE_POD_AUTOSCALERS
from webhook.cluster.transport import Request
from webhook.loop.reverts import PAUSE, Decision, Record, Reverts, decide, managers_of
from webhook.planning import Bounds

OLD, NEW = "hello-00001", "hello-00002"
BOTH: Wire = {"f:stageMinScale": {}, "f:stageMaxScale": {}}

# The decision

KNOWN = Record("u", (1, 3))
FOUGHT = Record("u", (1, 3), reverts=2, reverted_at=100.0)


@pytest.mark.parametrize(
    ("record", "wanted", "breaks", "now", "decision"),
    [
        pytest.param(None, (1, 3), True, 0.0, Decision(), id="nothing is known of the SPA"),
        pytest.param(Record("other", (1, 3)), (1, 3), True, 0.0, Decision(), id="another SPA of the same name"),
        pytest.param(FOUGHT, (1, 4), False, 101.0, Decision(), id="the stage wants other bounds: they never wait"),
        pytest.param(KNOWN, (1, 3), True, 0.0, Decision(reverts=1), id="the first time"),
        pytest.param(KNOWN, (1, 3), False, 0.0, Decision(reverts=1), id="the first time, harmless: at once too"),
        pytest.param(FOUGHT, (1, 3), True, 100.0, Decision(reverts=3), id="what breaks the stage never waits"),
        pytest.param(FOUGHT, (1, 3), False, 100.5, Decision(wait=59.5), id="what is harmless waits"),
        pytest.param(FOUGHT, (1, 3), False, 100.0 + PAUSE, Decision(reverts=3), id="for a minute"),
    ],
)
def test_when_bounds_are_set_back(
    record: Record | None, wanted: Bounds, breaks: bool, now: float, decision: Decision
) -> None:
    assert decide(record, "u", wanted, breaks=breaks, now=now) == decision


def spa(*managers: tuple[str, Wire], **spec: int) -> StagePodAutoscaler:
    fields: list[Wire] = [{"manager": name, "fieldsV1": {"f:spec": owned}} for name, owned in managers]
    return StagePodAutoscaler.from_dict({"metadata": {"name": "a", "managedFields": fields}, "spec": spec})


@pytest.mark.parametrize(
    ("managers", "spec", "found"),
    [
        ([("git", BOTH)], {"stageMinScale": 2, "stageMaxScale": 9}, ["git"]),
        ([("z", {"f:stageMaxScale": {}}), ("a", {"f:stageMinScale": {}})], {"stageMinScale": 2}, ["a", "z"]),
        ([("git", {"f:stageMinScale": {}})], {"stageMinScale": 1, "stageMaxScale": 9}, []),
        ([("stagegate-loop", BOTH), ("git", {})], {"stageMinScale": 2, "stageMaxScale": 3}, []),
        ([], {}, []),
    ],
    ids=["both bounds", "one each", "a bound that is as it should be", "the loop's own", "nobody"],
)
def test_who_changed_them(managers: list[tuple[str, Wire]], spec: dict[str, int], found: list[str]) -> None:
    assert managers_of(spa(*managers, **spec), (1, 3)) == found


def test_only_the_latest_spas_are_remembered() -> None:
    reverts = Reverts(lambda: 0.0, most=2)
    ro = RolloutOrchestrator.from_dict({"metadata": {"name": "hello"}, "spec": {}})
    spas = [
        StagePodAutoscaler.from_dict({"metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"}})
        for name in "abc"
    ]
    for one in spas:
        reverts.stored(one.with_bounds(0, 1))
    assert [reverts.knows("default", name, f"uid-{name}") for name in "abc"] == [False, True, True]
    assert [reverts.decide(ro, one, (0, 1)).reverts for one in spas] == [0, 1, 1]


# In its world


def state(world: World, name: str, manager: str = "git", **spec: int) -> None:
    """What a Git sync does: take the bounds over, and put others in their place."""
    one = world.spa(name)
    fields: Wire = {f"f:{key}": {} for key in spec}
    managers = [{"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": fields}}]
    world.api.put(
        STAGE_POD_AUTOSCALERS, {**one, "metadata": {**one["metadata"], "managedFields": managers}, "spec": spec}
    )


def events_of(world: World) -> list[str]:
    """Kind, name and message of each Event about bounds that were set back, each once."""
    found = [event for event in world.events if event.reason == "BoundsReverted"]
    assert all(event.type == "Warning" for event in found)
    return list(dict.fromkeys(f"{e.regarding['kind']} {e.regarding['name']}: {e.message}" for e in found))


def counted(world: World) -> dict[str, float]:
    name = "stagegate_loop_bounds_reverted_total"
    return {
        effect: world.metrics.registry.get_sample_value(name, {"effect": effect}) or 0.0
        for effect in ("breaking", "harmless")
    }


def writes_to(world: World, name: str) -> int:
    return world.written().count(f"patch stagepodautoscalers default/{name}")


def rolling() -> World:
    """A rollout in its second stage, which wants 1..2 of its first revision and 1..10 of its second.

    Both have 1 to 10 replicas by their own bounds: a minimum above 1 and a maximum above 10 have no effect.
    """
    world = two_revisions(World()).settle()
    autoscale(world, 4)
    world.settle()
    assert world.stage() == {OLD: (50, 2), NEW: (50, 2)}
    assert (world.bounds(OLD), world.bounds(NEW)) == ((1, 2), (1, 10))
    return world.forget()


MESSAGE = (
    "git set the stage bounds of StagePodAutoscaler hello-00001 to 2..10 again, and the loop set them back to 1..2 for"
    " RolloutOrchestrator hello; leave stageMinScale and stageMaxScale to the loop, and out of Git"
)


def test_bounds_that_break_the_stage_are_set_back_at_once_every_time() -> None:
    world = rolling()
    for times in range(1, 6):
        state(world, OLD, stageMinScale=2, stageMaxScale=10)
        world.settle()
        assert world.bounds(OLD) == (1, 2)
        assert writes_to(world, OLD) == times
    assert counted(world) == {"breaking": 5.0, "harmless": 0.0}


def test_the_first_time_is_nobodys_fault_and_the_second_is_told_on_spa_and_rollout() -> None:
    world = rolling()
    state(world, OLD, stageMinScale=2, stageMaxScale=10)
    assert events_of(world.settle()) == []
    state(world, OLD, stageMinScale=2, stageMaxScale=10)
    assert events_of(world.settle()) == [
        f"StagePodAutoscaler hello-00001: {MESSAGE}",
        f"RolloutOrchestrator hello: {MESSAGE}",
    ]
    state(world, OLD, stageMinScale=2, stageMaxScale=10)
    assert len(events_of(world.settle())) == 2, "the same words, which the recorder counts in the same Event"


def test_harmless_bounds_are_set_back_at_once_and_then_once_a_minute() -> None:
    world = rolling()
    written = []
    for _ in range(130):
        if world.bounds(NEW) == (1, 10):
            state(world, NEW, stageMinScale=4, stageMaxScale=20)
        world.settle()
        written.append(writes_to(world, NEW))
        world.clock.advance(1)
    assert [written[second] for second in (0, 1, 59, 60, 61, 119, 120)] == [1, 1, 1, 2, 2, 2, 3]
    assert counted(world) == {"breaking": 0.0, "harmless": 3.0}


def test_harmless_bounds_do_not_keep_a_rollout_from_its_end() -> None:
    world = rolling()
    for _ in range(40):
        if world.bounds(NEW) == (1, 10):
            state(world, NEW, stageMinScale=4, stageMaxScale=20)
        world.settle()
        autoscale(world, 4)
        world.clock.advance(1)
    assert (world.condition("LastStageReady"), world.bounds(NEW)) == (("True", ""), (4, 20))
    world.clock.advance(PAUSE)
    assert world.settle().bounds(NEW) == (1, 10)


def test_a_new_stage_does_not_wait() -> None:
    world = rolling()
    for _ in range(2):
        state(world, OLD, stageMinScale=2, stageMaxScale=2)
        world.settle()
    assert world.bounds(OLD) == (2, 2), "harmless, and set back a moment ago"
    autoscale(world, 4)
    world.settle()
    assert (world.stage()[OLD], world.bounds(OLD)) == ((25, 1), (1, 1))


@pytest.mark.parametrize("gone", ["stageMinScale", "stageMaxScale"])
def test_a_bound_that_is_removed_is_set_back_as_one_that_is_changed(gone: str) -> None:
    world = rolling()
    for _ in range(2):
        state(world, OLD, **{key: value for key, value in world.spa(OLD)["spec"].items() if key != gone})
        world.settle().clock.advance(PAUSE)
        world.settle()
    assert world.bounds(OLD) == (1, 2)
    shown = {"stageMinScale": "-..2", "stageMaxScale": "1..-"}[gone]
    assert [one for one in events_of(world) if "a client that owns no bound set" in one and f"to {shown} again" in one]
    assert sum(counted(world).values()) == 2.0


def test_after_the_end_too_and_a_git_sync_costs_one_write_a_minute() -> None:
    world = two_revisions(World(), replicas=1, high=1)
    for _ in range(20):
        autoscale(world.settle(), 1)
        world.clock.advance(1)
    assert (world.condition("Ready")[0], world.bounds(NEW)) == ("True", (1, 1))
    world.forget()
    for _ in range(120):
        if world.bounds(NEW) == (1, 1):
            state(world, NEW, stageMinScale=1, stageMaxScale=7)
        world.settle()
        world.clock.advance(1)
    assert [one.partition(":")[0] for one in events_of(world)] == [
        f"StagePodAutoscaler {NEW}",
        "RolloutOrchestrator hello",
    ]
    assert writes_to(world, NEW) == 2, "its own maximum is 1: a higher one has no effect"


OURS = {"manager": "stagegate-loop", "fieldsV1": {"f:spec": BOTH}}


def waiting(strategy: str) -> World:
    """A rollout in its first stage that waits for its second revision (availability), or for its first."""
    world = two_revisions(World(), rolloutStrategy=strategy).settle()
    assert world.stage() == {OLD: (75, 3), NEW: (25, 1)}
    return world.forget()


def complete(strategy: str) -> World:
    world = two_revisions(World(), rolloutStrategy=strategy)
    for _ in range(40):
        autoscale(world.settle(), 4)
        world.clock.advance(1)
    assert world.condition("Ready")[0] == "True"
    return world.forget()


@pytest.mark.parametrize(
    ("world", "name", "changed"),
    [
        pytest.param(lambda: waiting("availability"), OLD, (0, 1), id="the old one, before the new one runs"),
        pytest.param(lambda: waiting("resourceutil"), NEW, (2, 9), id="the held one, before the old one is down"),
        pytest.param(lambda: complete("availability"), OLD, (5, 9), id="the old one, at the end"),
        pytest.param(lambda: complete("resourceutil"), NEW, (0, 1), id="the new one, at the end"),
    ],
)
def test_bounds_that_no_step_of_the_pass_sets_are_set_back_too(
    world: Callable[[], World], name: str, changed: tuple[int, int]
) -> None:
    one = world()
    wanted = one.bounds(name)
    for times in range(1, 4):
        state(one, name, stageMinScale=changed[0], stageMaxScale=changed[1])
        assert one.settle().bounds(name) == wanted
        assert writes_to(one, name) == times
    assert counted(one) == {"breaking": 3.0, "harmless": 0.0}
    assert [line.partition(":")[0] for line in events_of(one)] == [
        f"StagePodAutoscaler {name}",
        "RolloutOrchestrator hello",
    ]


def test_what_a_former_process_stored_is_set_back_once_it_was_seen() -> None:
    world = complete("availability")
    one = world.spa(OLD)
    world.api.put(STAGE_POD_AUTOSCALERS, {**one, "metadata": {**one["metadata"], "managedFields": [OURS]}})
    world.start()
    world.settle()
    state(world, OLD, stageMinScale=5, stageMaxScale=9)
    assert world.settle().bounds(OLD) == (0, 1)


def test_what_another_leader_stored_meanwhile_stays() -> None:
    world = complete("availability")
    one, spec = world.spa(OLD), {"stageMinScale": 0, "stageMaxScale": 2}
    world.api.put(
        STAGE_POD_AUTOSCALERS, {**one, "metadata": {**one["metadata"], "managedFields": [OURS]}, "spec": spec}
    )
    assert world.settle().bounds(OLD) == (0, 2)


@pytest.mark.parametrize("strategy", ["availability", "resourceutil"])
def test_an_spa_that_is_deleted_after_the_end_comes_back_with_its_bounds(strategy: str) -> None:
    world = complete(strategy)
    wanted = world.bounds(NEW)
    world.api.remove(STAGE_POD_AUTOSCALERS, "default", NEW)
    world.settle()
    assert world.bounds(NEW) == wanted == (1, 10)
    assert world.condition("Ready")[0] == "True"


def test_a_deleted_spa_is_not_held_where_its_creation_fails_at_first() -> None:
    world = complete("resourceutil")
    world.api.remove(STAGE_POD_AUTOSCALERS, "default", NEW)
    failures = 1

    def fail(request: Request) -> Unavailable | None:
        nonlocal failures
        if request.method != "POST" or request.call.resource != "stagepodautoscalers" or not failures:
            return None
        failures -= 1
        return Unavailable(request.call, "etcdserver: leader changed")

    world.api.fail = fail
    world.settle()
    world.clock.advance(60)
    assert world.settle().bounds(NEW) == (1, 10)


def test_another_process_counts_anew() -> None:
    world = rolling()
    state(world, OLD, stageMinScale=2, stageMaxScale=10)
    world.settle()
    world.start()
    for _ in range(2):
        state(world, OLD, stageMinScale=2, stageMaxScale=10)
        world.settle()
    assert (world.bounds(OLD), events_of(world)) == ((1, 2), [])


def test_an_spa_that_was_made_anew_is_another_one() -> None:
    world = rolling()
    for number in range(3):
        one = world.spa(OLD)
        world.api.remove(STAGE_POD_AUTOSCALERS, "default", OLD)
        metadata = {**one["metadata"], "uid": f"uid-{number}"}
        world.api.put(STAGE_POD_AUTOSCALERS, {**one, "metadata": metadata, "spec": {"stageMaxScale": 10}})
        world.settle()
        assert world.bounds(OLD) == (1, 2)
    assert (events_of(world), sum(counted(world).values())) == ([], 0.0)


def test_with_steps_off_a_bound_that_is_lacking_is_filled_in_every_time() -> None:
    """No pass would set it back."""
    world = World(steps=False)
    world.revision(OLD)
    world.rollout(targetRevisions=[entry(OLD, 100, 4, 10)])
    for _ in range(2):
        world.spa_object(OLD, stageMinScale=4)
        assert world.settle().bounds(OLD) == (4, 10)


def test_an_spa_that_is_deleted_is_forgotten() -> None:
    world = two_revisions(World()).settle()
    reverts = world.loop.reconciler.spas.reverts
    uid = world.spa("hello-00002")["metadata"]["uid"]
    assert reverts.knows("default", "hello-00002", uid)
    world.api.remove(STAGE_POD_AUTOSCALERS, "default", "hello-00002")
    world.loop.pause()
    world.observe()
    assert not reverts.knows("default", "hello-00002", uid)
