"""JSON values read from the wire."""

from typing import Any

import pytest

from webhook.api.wire import are_equal, is_count


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
