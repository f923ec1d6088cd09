"""The indexer: which events change it, precedence of own writes, and indexes that always agree with the objects."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.fake_clock import FakeClock
from webhook.api.wire import Wire
from webhook.cluster.indexer import Change, Indexer, by_label, by_owner, is_later


def thing(name: str = "a", version: int = 1, uid: str = "u1", **more: Any) -> Wire:
    return {"metadata": {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version), **more}}


def store(clock: FakeClock | None = None, **indexes: Any) -> Indexer:
    return Indexer((clock or FakeClock()).monotonic, indexes)


@pytest.mark.parametrize(
    ("stored", "event", "seen", "left"),
    [
        (None, "ADDED", thing(version=1), thing(version=1)),
        (thing(version=1), "MODIFIED", thing(version=2), thing(version=2)),
        (thing(version=2), "MODIFIED", thing(version=2), thing(version=2)),
        (thing(version=10), "MODIFIED", thing(version=9), thing(version=10)),
        (thing(version=1), "DELETED", thing(version=2), None),
        (thing(version=9, uid="new"), "DELETED", thing(version=8, uid="old"), thing(version=9, uid="new")),
        (thing(version=1, uid="old"), "ADDED", thing(version=5, uid="new"), thing(version=5, uid="new")),
    ],
)
def test_an_event_is_taken_only_if_it_is_news(stored: Wire | None, event: str, seen: Wire, left: Wire | None) -> None:
    table = store()
    if stored:
        table.replace([stored], "1")
    change = table.apply_event(event, seen)
    assert table.get("ns", "a") == left
    assert (change is not None) == (left != stored)


def test_a_late_event_does_not_bring_a_deleted_object_back() -> None:
    table = store()
    table.apply_event("ADDED", thing(version=1))
    table.apply_event("DELETED", thing(version=3))
    assert table.apply_event("MODIFIED", thing(version=2)) is None
    assert table.get("ns", "a") is None


def test_a_list_shows_what_was_deleted_while_nobody_watched() -> None:
    table = store()
    table.replace([thing("a", 1), thing("b", 2, "u2")], "5")
    changes = table.replace([thing("b", 6, "u2"), thing("c", 7, "u3")], "9")
    assert changes == [
        Change(thing("a", 1), None),
        Change(thing("b", 2, "u2"), thing("b", 6, "u2")),
        Change(None, thing("c", 7, "u3")),
    ]
    assert [one["metadata"]["name"] for one in table.objects()] == ["b", "c"]


def test_our_own_write_is_read_at_once_and_outlives_older_news() -> None:
    table = store()
    table.replace([thing(version=1)], "1")
    table.assume(thing(version=5))
    assert table.get("ns", "a") == thing(version=5)
    assert table.apply_event("MODIFIED", thing(version=4)) is None
    assert table.apply_event("MODIFIED", thing(version=5)) is None, "the watch event of the own write changes nothing"
    assert table.replace([thing(version=3)], "4") == []
    assert table.replace([], "4") == [], "the list was read before the object was written"
    assert table.get("ns", "a") == thing(version=5)
    assert table.replace([], "6") == [Change(thing(version=5), None)]


def test_after_a_restored_etcd_a_list_is_believed_in_the_end() -> None:
    clock = FakeClock()
    table = store(clock)
    table.assume(thing(version=500))
    clock.advance(31)
    assert table.replace([thing(version=7)], "8") == [Change(thing(version=500), thing(version=7))]


def test_our_own_delete_is_not_undone_by_a_late_event_but_a_new_object_of_the_name_counts() -> None:
    table = store()
    table.replace([thing(version=1)], "1")
    table.assume_deleted(thing(version=1))
    assert table.get("ns", "a") is None
    assert table.apply_event("MODIFIED", thing(version=2)) is None
    assert table.replace([thing(version=2)], "2") == []
    assert table.apply_event("ADDED", thing(version=4, uid="u2")) == Change(None, thing(version=4, uid="u2"))


def test_deletions_that_no_late_event_can_undo_any_more_are_forgotten() -> None:
    clock = FakeClock()
    table = store(clock)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            clock.advance(1.0)
            table.apply_event("DELETED", thing(version=number + 1, uid=f"{number:036}"))
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    clock.advance(29.0)
    assert table.apply_event("ADDED", thing(version=1, uid=f"{number:036}")) is None
    clock.advance(1.0)
    assert table.apply_event("ADDED", thing(version=1, uid=f"{number:036}")) is not None


def test_indexes_find_by_owner_and_label() -> None:
    owned = thing("a", labels={"app": "x"}, ownerReferences=[{"uid": "boss"}])
    table = store(owner=by_owner, app=by_label("app"))
    table.replace([owned, thing("b", uid="u2")], "1")
    assert table.by_index("owner", "boss") == [owned]
    assert table.by_index("app", "ns/x") == [owned]
    assert table.by_index("app", "ns/y") == []


NAMES = st.sampled_from("abc")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ADDED", "MODIFIED", "DELETED", "assume", "assume deleted", "replace"]),
        NAMES,
        st.integers(1, 30),
        st.sampled_from(["u1", "u2"]),
        st.sampled_from(["x", "y", None]),
    ),
    max_size=40,
)


@given(STEPS)
def test_an_index_always_holds_exactly_the_objects_that_carry_its_value(steps: list[Any]) -> None:
    table = store(app=by_label("app"))
    for what, name, version, uid, label in steps:
        one = thing(name, version, uid, labels={"app": label} if label else {})
        if what == "assume":
            table.assume(one)
        elif what == "assume deleted":
            table.assume_deleted(one)
        elif what == "replace":
            table.replace([one], str(version))
        else:
            table.apply_event(what, one)
        for value in ("x", "y"):
            expected = [one for one in table.objects() if one["metadata"]["labels"].get("app") == value]
            assert table.by_index("app", f"ns/{value}") == expected


@given(st.permutations(range(1, 8)), st.lists(st.integers(1, 7), max_size=5))
def test_events_in_any_order_and_any_number_end_at_the_latest_version(order: list[int], again: list[int]) -> None:
    table = store()
    for version in [*order, *again]:
        table.apply_event("MODIFIED", thing(version=version))
    assert table.get("ns", "a") == thing(version=7)


@pytest.mark.parametrize("how", ["replace", "see", "assume"])
def test_an_object_that_an_index_fails_on_leaves_everything_as_it_was(how: str) -> None:
    def index(one: Wire) -> list[str]:
        return [one["metadata"]["annotations"]["x"]]

    good, bad = thing("a", 1, annotations={"x": "1"}), thing("c", 8, "u3")
    table = store(by=index)
    table.apply_event("ADDED", good)
    newer = thing("a", 7, annotations={"x": "2"})
    calls: dict[str, Any] = {
        "replace": lambda: table.replace([newer, bad], "9"),
        "see": lambda: table.apply_event("ADDED", bad),
        "assume": lambda: table.assume(bad),
    }
    with pytest.raises(KeyError):
        calls[how]()
    assert table.objects() == table.by_index("by", "1") == [good]
    assert table.by_index("by", "2") == []


@pytest.mark.parametrize(
    ("version", "than", "later"),
    [
        ("10", "9", True),
        ("9", "10", False),
        ("7", "7", False),
        ("007", "7", False),
        ("7", "", True),
        ("b", "a", True),
        ("a", "a", False),
        ("9" * 5000, "8" * 5000, True),
    ],
)
def test_versions_in_order(version: str, than: str, later: bool) -> None:
    assert is_later(version, than) == later
