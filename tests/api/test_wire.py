"""JSON values read from the wire."""

from datetime import UTC, datetime
from typing import Any

import pytest

from webhook.api.wire import MOST_COMPARED, MOST_LEVELS, are_equal, copy_of, is_count, is_deep, is_small, parse_time


@pytest.mark.parametrize("value", [0, 1, 2147483647, 3.0, 0.0])
def test_whole_numbers_of_32_bits_count(value: Any) -> None:
    assert is_count(value)


@pytest.mark.parametrize("value", [None, -1, 2147483648, 10**400, 1.5, float("inf"), True, False, "1", [], {}])
def test_nothing_else_counts(value: Any) -> None:
    assert not is_count(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [(None, None), (1, 1.0), ("a", "a"), (True, True), ({"a": [1, {"b": False}]}, {"a": [1.0, {"b": False}]})],
)
def test_equal_values(one: Any, other: Any) -> None:
    assert are_equal(one, other)
    assert are_equal(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0.0, False),
        ("1", 1),
        (None, {}),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 1, "b": None}),
        ({"a": [{"b": 1}]}, {"a": [{"b": True}]}),
    ],
)
def test_different_values(one: Any, other: Any) -> None:
    assert not are_equal(one, other)
    assert not are_equal(other, one)


@pytest.mark.parametrize(
    ("value", "small"),
    [
        (1, True),
        ([0] * MOST_COMPARED, True),
        ([[0] * (MOST_COMPARED - 1)], True),
        ([0] * (MOST_COMPARED + 1), False),
        ([{str(number): 0 for number in range(MOST_COMPARED)}], False),
        ([[[]] * MOST_COMPARED], False),
    ],
)
def test_values_that_are_too_large_are_not_compared(value: Any, small: bool) -> None:
    assert is_small(value) is small
    assert are_equal(value, copy_of(value)) is small


def test_values_of_any_depth_are_compared() -> None:
    one: Any = 0
    other: Any = 0
    for _ in range(MOST_COMPARED):
        one, other = [one], [other]
    assert are_equal(one, other)


def nested(levels: int) -> Any:
    value: Any = 0
    for level in range(levels):
        value = [1, value] if level % 2 else {"a": value, "b": 1}
    return value


@pytest.mark.parametrize(
    ("value", "deep"),
    [
        (0, False),
        ("[" * 1000, False),
        ([[]] * 10_000, False),
        (nested(MOST_LEVELS), False),
        (nested(MOST_LEVELS + 1), True),
        ([[], nested(100_000)], True),
    ],
    ids=["a number", "a text", "a wide list", "at the bound", "beyond it", "far beyond it"],
)
def test_depth(value: Any, deep: bool) -> None:
    assert is_deep(value) is deep


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-01-01T12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T14:00:00+02:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00", None),
        ("noon", None),
        ("", None),
        (None, None),
        (1767268800, None),
        ({"seconds": 1}, None),
    ],
)
def test_a_time_has_a_zone_and_anything_else_is_none(value: Any, time: datetime | None) -> None:
    assert parse_time(value) == time
