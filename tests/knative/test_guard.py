"""The guard of a held Route: the old Route, the write, and what is put back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.knative.routes import HOLD, floating, held_entries, hold, named, route
from webhook.knative.guard import PutBack, guard

DELETING = "2026-01-01T00:00:00Z"
HELD = route(held_entries(a=75, b=25), annotation=hold())
RELEASING = route(annotation=hold(phase="releasing"))
STOCK = [floating(100)]


@pytest.mark.parametrize(
    ("old", "new", "hold_back", "traffic_back"),
    [
        (HELD, HELD, None, None),
        (HELD, route(STOCK, annotation=hold()), None, held_entries(a=75, b=25)),
        (HELD, route(STOCK), hold(), held_entries(a=75, b=25)),
        (HELD, route(held_entries(a=75, b=25)), hold(), None),
        (HELD, route(STOCK, annotation=hold("c")), hold(), held_entries(a=75, b=25)),
        (HELD, route(held_entries(a=75, b=25), annotation=hold(phase="releasing")), hold(), None),
        (HELD, route(held_entries(a=75, b=25), annotation=hold(), labels={"team": "x"}), None, None),
        (HELD, {**HELD, "spec": {}}, None, held_entries(a=75, b=25)),
        (RELEASING, route([named("z", 100)], annotation=hold(phase="releasing")), None, None),
        (RELEASING, route([named("z", 100)]), hold(phase="releasing"), None),
    ],
    ids=[
        "nothing changes",
        "Knative writes its traffic",
        "Knative writes a Route that it has read before the hold",
        "only the hold is gone",
        "another hold",
        "another phase",
        "other members pass",
        "the spec is emptied",
        "while it is given back, traffic passes",
        "while it is given back, the hold stays",
    ],
)
def test_what_a_held_route_keeps(
    old: dict[str, Any], new: dict[str, Any], hold_back: str | None, traffic_back: list[dict[str, Any]] | None
) -> None:
    assert guard(old, new) == PutBack(hold_back, traffic_back)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (route(), route(STOCK, annotation=hold())),
        (route(held_entries(a=100)), route(STOCK)),
        (route(held_entries(a=100), annotation="{}"), route(STOCK)),
        (route(held_entries(a=100), annotation=hold(since="uid-of-a-backup")), route(STOCK)),
        (route(held_entries(a=100), annotation=hold(), ownerReferences=[]), route(STOCK)),
        ({**HELD, "metadata": {**HELD["metadata"], "deletionTimestamp": DELETING}}, route(STOCK)),
        (HELD, route(STOCK, deletionTimestamp=DELETING)),
        (route([named("a", 0)] * 20_001, annotation=hold()), route(STOCK, annotation=hold())),
        ({}, {}),
    ],
    ids=[
        "a hold is new",
        "no hold",
        "an unreadable hold",
        "a hold of a backup",
        "a Route of no Service",
        "a Route that is being deleted",
        "a Route whose deletion begins",
        "traffic that no rollout has",
        "no objects",
    ],
)
def test_whatever_is_not_held_passes(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not guard(old, new)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
any_traffic = st.sampled_from([STOCK, [], held_entries(a=100), held_entries(a=75, b=25), [named("z", 100)]])
any_hold = st.sampled_from([None, "", "{}", hold(), hold("c"), hold(phase="releasing"), hold(since="other")])
any_route = st.builds(route, any_traffic, any_traffic, any_hold) | st.fixed_dictionaries(
    {"metadata": json_values, "spec": json_values}
)


def written(new: dict[str, Any], back: PutBack) -> dict[str, Any]:
    """The Route that is stored."""
    if back.hold is not None:
        annotations = (new["metadata"].get("annotations") or {}) | {HOLD: back.hold}
        new = {**new, "metadata": {**new["metadata"], "annotations": annotations}}
    return new if back.traffic is None else {**new, "spec": {**new["spec"], "traffic": back.traffic}}


@given(any_route, any_route)
def test_without_a_hold_in_the_old_route_nothing_is_changed(old: dict[str, Any], new: dict[str, Any]) -> None:
    metadata = old.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not (isinstance(annotations, dict) and annotations.get(HOLD) in (hold(), hold("c"), hold(phase="releasing"))):
        assert not guard(old, new)


@given(any_route, st.builds(route, any_traffic, any_traffic, any_hold))
def test_a_second_call_puts_nothing_back(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not guard(old, written(new, guard(old, new)))


@given(any_traffic, any_traffic)
def test_in_the_phase_held_every_write_stores_the_old_hold_and_traffic(
    before: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    old = route(before, annotation=hold())
    stored = written(route(wanted), guard(old, route(wanted)))
    assert stored["metadata"]["annotations"][HOLD] == hold()
    assert stored["spec"]["traffic"] == before
