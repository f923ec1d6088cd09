"""A lister with writes on top of it."""

from tests.objects import spa, spa_view
from tests.vectors.world import World
from webhook.api.kinds import SERVICE_LABEL
from webhook.loop.read_your_writes import Overlay

OF_HELLO = {SERVICE_LABEL: "hello"}


def names(overlay: Overlay) -> list[str]:
    return [found.name for found in overlay.list("default", OF_HELLO)]


def test_what_was_put_is_seen_by_every_later_read() -> None:
    overlay, put = Overlay(World()), spa_view("b", 1, 2)
    assert overlay.get("default", "b") is None
    overlay.put(put)
    assert overlay.get("default", "b") is put
    assert overlay.written(put) is put
    assert names(overlay) == ["b"]


def test_lists_are_sorted_and_hold_what_the_labels_ask_for() -> None:
    world = World()
    world.add(spa("c"), spa("a"), spa("other", service="other"))
    overlay = Overlay(world)
    overlay.put(spa_view("b"))
    overlay.put(spa_view("another", service="other"))
    assert names(overlay) == ["a", "b", "c"]


def test_what_was_read_once_stays_as_it_was_read() -> None:
    world = World()
    world.add(spa("a", 1))
    overlay = Overlay(world)
    before = overlay.get("default", "a")
    world.add(spa("a", 5))
    assert overlay.get("default", "a") is before
    assert list(overlay.list("default", OF_HELLO)) == [before]


def test_what_was_only_read_was_not_written() -> None:
    world = World()
    world.add(spa("a", 1))
    overlay = Overlay(world)
    overlay.get("default", "a")
    assert overlay.written(world.spa("a")) is None
