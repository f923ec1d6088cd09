"""The planned writes of a pass: an ordered list, nothing sent."""

import threading

from tests.objects import entry, rollout, spa, spa_view
from tests.vectors.fake_cluster import NOON, FakeCluster, Pod, Request
from webhook.api import RolloutOrchestrator
from webhook.api.kinds import SERVICE_LABEL
from webhook.loop.planned_writes import (
    CreateSPA,
    DeletePod,
    EmitEvent,
    PlannedWrites,
    ReadYourWritesLister,
    RequeueAfter,
    UpdateSPA,
)


def planning(ro: RolloutOrchestrator, world: FakeCluster) -> PlannedWrites:
    planned = PlannedWrites(world, world)
    planned.begin(ro)
    return planned


def test_writes_are_kept_in_order_and_nothing_is_sent() -> None:
    world, ro = FakeCluster(pods=[Pod("default", "pod-0", "a", NOON)]), rollout([entry("a", 100)])
    planned = planning(ro, world)
    new, changed = spa_view("a"), spa_view("a", 1)
    planned.create(new)
    planned.update(changed)
    pods = planned.list_terminating("default", "a")
    assert pods is not None
    planned.delete_now(pods[0])
    planned.emit(ro, "Normal", "Why", "because")
    planned.enqueue_after(ro, 30)
    assert [one.write for one in planned.writes] == [
        CreateSPA(new),
        UpdateSPA(changed),
        DeletePod(pods[0]),
        EmitEvent("Normal", "Why", "because"),
        RequeueAfter(30),
    ]
    assert world.writes() == []


def test_reads_see_what_was_planned() -> None:
    world = FakeCluster()
    world.add(spa("a", 1))
    planned = planning(rollout([]), world)
    planned.update(world.spa("a").with_bounds(2, 3))
    planned.create(spa_view("b"))
    seen = {found.name: found.stage_min_scale for found in planned.list("default", {})}
    assert seen == {"a": 2, "b": None}
    assert planned.get("default", "a") == world.spa("a").with_bounds(2, 3)


def test_a_planned_write_knows_the_status_that_stands_if_it_fails() -> None:
    ro, world = rollout([]), FakeCluster()
    planned = planning(ro, world)
    planned.create(spa_view("a"))
    ro.mark_stage_ready(NOON)
    planned.create(spa_view("b"))
    assert [one.status_before.conditions.is_true("StageReady") for one in planned.writes] == [False, True]


def test_an_spa_that_the_pass_would_create_and_delete_is_not_worth_sending() -> None:
    world = FakeCluster()
    world.add(spa("old", 1))
    planned = planning(rollout([]), world)
    planned.create(spa_view("new"))
    planned.update(spa_view("new", 2))
    planned.update(world.spa("old").with_bounds(0, 1))

    def sent(revisions: frozenset[str] | None) -> list[str]:
        writes = [one.write for one in planned.to_send(revisions)]
        return [write.spa.name for write in writes if isinstance(write, CreateSPA | UpdateSPA)]

    assert sent(frozenset()) == ["old"]
    assert sent(frozenset({"new"})) == ["new", "new", "old"]
    assert sent(None) == ["new", "new", "old"]


def test_pods_that_could_not_be_listed_are_remembered() -> None:
    world = FakeCluster(failing=frozenset({Request("list", "pods", "*")}))
    planned = planning(rollout([]), world)
    assert not planned.pods_not_listed
    assert planned.list_terminating("default", "a") is None
    assert planned.pods_not_listed


def test_each_thread_plans_by_itself_and_anew_for_each_rollout() -> None:
    world = FakeCluster()
    planned = planning(rollout([]), world)
    planned.create(spa_view("a"))
    found: list[object] = []
    other = threading.Thread(target=lambda: found.extend([*planned.writes, planned.get("default", "a")]))
    other.start()
    other.join()
    assert found == [None]
    planned.begin(rollout([]))
    assert (planned.writes, planned.get("default", "a")) == ([], None)


OF_HELLO = {SERVICE_LABEL: "hello"}


def names(lister: ReadYourWritesLister) -> list[str]:
    return [found.name for found in lister.list("default", OF_HELLO)]


def test_what_was_written_is_seen_by_every_later_read() -> None:
    lister, written = ReadYourWritesLister(FakeCluster()), spa_view("b", 1, 2)
    assert lister.get("default", "b") is None
    lister.write(written)
    assert lister.get("default", "b") is written
    assert names(lister) == ["b"]


def test_lists_are_sorted_and_hold_what_the_labels_ask_for() -> None:
    world = FakeCluster()
    world.add(spa("c"), spa("a"), spa("other", service="other"))
    lister = ReadYourWritesLister(world)
    lister.write(spa_view("b"))
    lister.write(spa_view("another", service="other"))
    assert names(lister) == ["a", "b", "c"]


def test_what_was_read_once_stays_as_it_was_read() -> None:
    world = FakeCluster()
    world.add(spa("a", 1))
    lister = ReadYourWritesLister(world)
    before = lister.get("default", "a")
    world.add(spa("a", 5))
    assert lister.get("default", "a") is before
    assert list(lister.list("default", OF_HELLO)) == [before]
