"""Revisions that a list names more than once, and targets that are several: what the loop writes and says."""

from typing import Any

import pytest

from tests.loop.world import World, autoscale, entry

OLD, NEW, OTHER = "hello-00001", "hello-00002", "hello-00003"
TAGGED = [entry(NEW, 100, 2, 10), entry(NEW, 0, tag="candidate")]
SPLIT = [entry(NEW, 50, 2, 10), entry(OTHER, 50, 2, 10)]


def service(world: World, targets: list[Any], *, initial: list[Any] | None = None, runs: int = 4) -> World:
    """A service whose first revision runs, with a rollout to ``targets``, none of which runs yet."""
    names = {OLD, *(target["revisionName"] for target in targets)}
    for name in sorted(names):
        world.revision(name)
        world.scale(name, runs if name == OLD else 0)
    world.spa_object(OLD, stageMinScale=2, stageMaxScale=10)
    start = [entry(OLD, 100, 2, 10)] if initial is None else initial
    world.rollout(initialRevisions=start, targetRevisions=targets)
    return world


def carried_to_the_end(world: World, demand: int = 4) -> list[dict[str, Any]]:
    """The stages on the way, autoscaled until the rollout is complete."""
    stages: list[dict[str, Any]] = []
    for _ in range(60):
        world.settle()
        if world.stage() not in stages:
            stages.append(world.stage())
        if world.condition("LastStageReady")[0] == "True":
            return stages
        autoscale(world, demand)
        world.clock.advance(5)
    raise AssertionError(f"not complete: {world.condition('Ready')}, {stages}")


def test_a_tag_of_the_target_changes_nothing_about_the_stages() -> None:
    plain, tagged = (service(World(), targets) for targets in (TAGGED[:1], TAGGED))
    for world in (plain, tagged):
        world.settings(over_consumption_ratio="25")
    stages = carried_to_the_end(tagged)
    assert stages == carried_to_the_end(plain)
    assert len(stages) == 4
    assert tagged.ro()["spec"]["targetRevisions"] == TAGGED


def test_a_tag_that_is_added_later_starts_nothing_anew() -> None:
    world = service(World(), TAGGED[:1]).settle()
    stage = world.stage()
    world.edit(targetRevisions=TAGGED)
    world.settle()
    assert world.stage() == stage
    carried_to_the_end(world)
    world.forget().edit(targetRevisions=TAGGED[:1])
    world.settle()
    assert not [write for write in world.written() if "/status" not in write]
    assert world.condition("Ready")[0] == "True"


@pytest.mark.parametrize(
    "targets",
    [
        TAGGED,
        [entry(NEW, 0, tag="candidate"), entry(NEW, 100, 2, 10)],
        [entry(NEW, 60, 2, 8), entry(NEW, 40, 4, tag="candidate")],
        [entry(NEW, 50, 2), entry(OTHER, 50), entry(NEW, 0, None, 9, tag="candidate")],
    ],
)
def test_the_loop_undoes_nothing_that_it_wrote(targets: list[Any]) -> None:
    world = service(World(), targets)
    for revision in (NEW, OTHER):
        if any(target["revisionName"] == revision for target in targets):
            world.spa_object(revision)
    world.settle().forget()
    world.loop.enqueue_everything()
    world.settle()
    assert world.written() == []


def test_bounds_count_wherever_an_entry_states_them() -> None:
    world = service(World(), [entry(NEW, 50, 3), entry(OTHER, 50), entry(NEW, 0, None, 9, tag="candidate")]).settle()
    assert world.bounds(NEW) == (3, 9)


def test_several_targets_go_at_once_and_it_is_said_until_they_are_reached() -> None:
    world = service(World(), SPLIT).settle()
    assert world.stage() == {NEW: (50, None), OTHER: (50, None)}
    message = (
        "Warning SeveralTargets: spec.targetRevisions: hello-00002, hello-00003 go up at once, without stages;"
        " to have stages name one revision"
    )
    assert message in world.emitted()
    carried_to_the_end(world)
    world.forget().loop.enqueue_everything()
    assert world.settle().emitted() == []


# Promise 1 round the planner


@pytest.mark.parametrize(
    ("targets", "settings", "initial"),
    [
        (SPLIT, {}, None),
        (TAGGED[:1], {"progressive_rollout_enabled": "false"}, None),
        (TAGGED, {"progressive_rollout_enabled": "false"}, None),
        (TAGGED[:1], {}, []),
        (TAGGED, {}, []),
        (SPLIT, {}, []),
        (TAGGED[:1], {}, [entry(OLD, 0, 2, 10)]),
        (TAGGED[:1], {}, [entry(OLD, None, 2, 10)]),
    ],
    ids=[
        "several targets",
        "stages are off",
        "stages are off, a tag",
        "no start",
        "no start, a tag",
        "no start, several targets",
        "a start without traffic",
        "a start without percent",
    ],
)
def test_the_old_revision_is_not_lowered_before_every_target_runs(
    targets: list[Any], settings: dict[str, str], initial: list[Any] | None
) -> None:
    world = service(World(), targets, initial=initial)
    if settings:
        world.settings(**settings)
    new = list(dict.fromkeys(target["revisionName"] for target in targets))
    world.settle()
    assert set(world.stage()) == set(new)
    for name in new:
        assert world.bounds(OLD) == (2, 10)
        world.scale(name, 1, 2)
        world.settle()
        assert world.bounds(OLD) == (2, 10)
        world.scale(name, 2)
        world.settle()
    assert world.bounds(OLD) == (0, 1)
    world.scale(OLD, 0)
    world.settle()
    assert world.condition("LastStageReady")[0] == "True"
