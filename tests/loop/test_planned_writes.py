"""The draft of a pass: an ordered list of intents, nothing sent."""

from tests.objects import entry, rollout, spa, spa_view
from tests.vectors.world import NOON, Pod, Request, World
from webhook.loop.planned_writes import ComeBack, CreateSPA, DeletePod, Draft, Tell, UpdateSPA


def test_intents_are_kept_in_order_and_nothing_is_sent() -> None:
    world, ro = World(pods=[Pod("default", "pod-0", "a", NOON)]), rollout([entry("a", 100)])
    draft = Draft(ro, world, world)
    new, changed = spa_view("a"), spa_view("a", 1)
    draft.create(new)
    draft.update(changed)
    pods = draft.list_terminating("default", "a")
    assert pods is not None
    draft.delete_now(pods[0])
    draft.emit(ro, "Normal", "Why", "because")
    draft.enqueue_after(ro, 30)
    assert [entry.intent for entry in draft.entries] == [
        CreateSPA(new),
        UpdateSPA(changed),
        DeletePod(pods[0]),
        Tell("Normal", "Why", "because"),
        ComeBack(30),
    ]
    assert world.writes() == []


def test_reads_see_what_was_drafted() -> None:
    world = World()
    world.add(spa("a", 1))
    draft = Draft(rollout([]), world, world)
    draft.update(world.spa("a").with_bounds(2, 3))
    draft.create(spa_view("b"))
    seen = {found.name: found.stage_min_scale for found in draft.list("default", {})}
    assert seen == {"a": 2, "b": None}
    assert draft.get("default", "a") == world.spa("a").with_bounds(2, 3)


def test_an_intent_knows_the_status_that_stands_if_it_fails() -> None:
    ro, world = rollout([]), World()
    draft = Draft(ro, world, world)
    draft.create(spa_view("a"))
    ro.mark_stage_ready(NOON)
    draft.create(spa_view("b"))
    assert [entry.status_before.conditions.is_true("StageReady") for entry in draft.entries] == [False, True]


def test_an_spa_that_the_pass_would_create_and_delete_is_not_worth_sending() -> None:
    world = World()
    world.add(spa("old", 1))
    draft = Draft(rollout([]), world, world)
    draft.create(spa_view("new"))
    draft.update(spa_view("new", 2))
    draft.update(world.spa("old").with_bounds(0, 1))

    def sent(revisions: frozenset[str] | None) -> list[str]:
        intents = [entry.intent for entry in draft.worth_sending(revisions)]
        return [intent.spa.name for intent in intents if isinstance(intent, CreateSPA | UpdateSPA)]

    assert sent(frozenset()) == ["old"]
    assert sent(frozenset({"new"})) == ["new", "new", "old"]
    assert sent(None) == ["new", "new", "old"]


def test_pods_that_could_not_be_listed_are_remembered() -> None:
    world = World(failing=frozenset({Request("list", "pods", "*")}))
    draft = Draft(rollout([]), world, world)
    assert not draft.pods_unseen
    assert draft.list_terminating("default", "a") is None
    assert draft.pods_unseen
