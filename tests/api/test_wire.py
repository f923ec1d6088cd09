"""JSON values read from the wire."""

from typing import Any

import pytest

from webhook.api.wire import is_count


@pytest.mark.parametrize("value", [0, 1, 2147483647, 3.0, 0.0])
def test_whole_numbers_of_32_bits_count(value: Any) -> None:
    assert is_count(value)


@pytest.mark.parametrize("value", [None, -1, 2147483648, 10**400, 1.5, float("inf"), True, False, "1", [], {}])
def test_nothing_else_counts(value: Any) -> None:
    assert not is_count(value)
