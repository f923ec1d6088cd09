"""A lister with writes on top of it."""

from tests.objects import spa, spa_view
from tests.vectors.world import World
from webhook.api.kinds import SERVICE_LABEL
from webhook.loop.read_your_writes import ReadYourWritesLister

OF_HELLO = {SERVICE_LABEL: "hello"}


def names(lister: ReadYourWritesLister) -> list[str]:
    return [found.name for found in lister.list("default", OF_HELLO)]


def test_what_was_written_is_seen_by_every_later_read() -> None:
    lister, written = ReadYourWritesLister(World()), spa_view("b", 1, 2)
    assert lister.get("default", "b") is None
    lister.write(written)
    assert lister.get("default", "b") is written
    assert names(lister) == ["b"]


def test_lists_are_sorted_and_hold_what_the_labels_ask_for() -> None:
    world = World()
    world.add(spa("c"), spa("a"), spa("other", service="other"))
    lister = ReadYourWritesLister(world)
    lister.write(spa_view("b"))
    lister.write(spa_view("another", service="other"))
    assert names(lister) == ["a", "b", "c"]


def test_what_was_read_once_stays_as_it_was_read() -> None:
    world = World()
    world.add(spa("a", 1))
    lister = ReadYourWritesLister(world)
    before = lister.get("default", "a")
    world.add(spa("a", 5))
    assert lister.get("default", "a") is before
    assert list(lister.list("default", OF_HELLO)) == [before]
