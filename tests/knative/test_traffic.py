"""The traffic of a Route: held, as Knative writes it, and as its status shows it."""

from typing import Any

import pytest

from webhook.knative.traffic import held_traffic, is_moved, shares, stock_traffic

FLOATING = {"configurationName": "hello", "latestRevision": True, "percent": 0}


def named(revision: str, percent: int) -> dict[str, Any]:
    return {"revisionName": revision, "latestRevision": False, "percent": percent}


def test_a_held_route_names_revisions_and_keeps_the_new_one_reachable() -> None:
    assert held_traffic({"b": 25, "a": 75, "c": 0}, ["d", "b"], "hello") == [
        named("a", 75),
        named("b", 25),
        named("d", 0),
        FLOATING,
        named("a", 0),
    ]


def test_the_repeated_entry_can_be_left_out() -> None:
    assert held_traffic({"a": 100}, [], "hello", redundant=False) == [named("a", 100), FLOATING]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (None, {}),
        ([], {}),
        ([named("b", 30), named("a", 70)], {"a": 70, "b": 30}),
        ([named("a", 70), {**named("a", 30), "tag": "x"}], {"a": 100}),
        ([named("a", 100), named("b", 0), {"revisionName": "c"}], {"a": 100}),
        ([{"latestRevision": True, "percent": 100}], {}),
    ],
)
def test_shares_are_percents_by_revision(entries: Any, expected: dict[str, int]) -> None:
    assert shares(entries) == expected


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        (None, [{"configurationName": "hello", "latestRevision": True, "percent": 100}]),
        (
            [{"latestRevision": True, "percent": 100}],
            [{"configurationName": "hello", "latestRevision": True, "percent": 100}],
        ),
        (
            [{"revisionName": "a", "percent": 50, "tag": "old"}, {"percent": 50}],
            [{"revisionName": "a", "percent": 50, "tag": "old"}, {"configurationName": "hello", "percent": 50}],
        ),
    ],
)
def test_stock_traffic_is_what_knative_makes_of_the_service(traffic: Any, expected: list[dict[str, Any]]) -> None:
    service = {"metadata": {"name": "hello"}, "spec": {"traffic": traffic}}
    assert stock_traffic(service) == expected
    assert service["spec"]["traffic"] == traffic


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({}, True),
        ({"traffic": [named("a", 100)]}, False),
        ({"observedGeneration": 1}, False),
        ({"conditions": [{"type": "Ready", "status": "Unknown"}]}, False),
        ({"conditions": None}, False),
    ],
)
def test_traffic_has_moved_when_a_ready_route_shows_it_at_its_generation(change: dict[str, Any], moved: bool) -> None:
    status = {
        "traffic": [named("a", 75), named("b", 25), {**named("b", 0), "latestRevision": True}],
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    route = {"metadata": {"generation": 2}, "status": status | change}
    assert is_moved(route, {"a": 75, "b": 25, "c": 0}) is moved
