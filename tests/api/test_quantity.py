"""Quantities: rows of a text and its number, and of a number and its text."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.api.quantity import format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("4", "4"),
        (4, "4"),
        ("250m", "0.25"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("100n", "0.0000001"),
        ("8Gi", "8589934592"),
        ("1k", "1000"),
        ("2E", "2000000000000000000"),
        ("1e3", "1000"),
        ("12E2", "1200"),
        ("-1", "-1"),
    ],
)
def test_a_quantity_is_read(value: Any, number: str) -> None:
    assert parse_quantity(value) == Decimal(number)


@pytest.mark.parametrize("value", ["", "four", "4 Gi", "4GiB", "e3", "1e", "0x10", "٤", True, None, 1.5, [], "9" * 100])
def test_what_is_no_quantity(value: Any) -> None:
    assert parse_quantity(value) is None


@pytest.mark.parametrize(
    ("number", "text"),
    [("4", "4"), ("0.25", "250m"), ("0", "0"), ("8589934592", "8Gi"), ("104857600", "100Mi"), ("2048", "2048")],
)
def test_a_number_is_written(number: str, text: str) -> None:
    assert format_quantity(Decimal(number)) == text


@given(st.integers(0, 10**18), st.sampled_from(["", "m", "k", "Ki", "Mi", "Gi", "G"]))
def test_what_is_written_is_read_as_the_same_number(amount: int, suffix: str) -> None:
    number = parse_quantity(f"{amount}{suffix}")
    assert number is not None
    assert parse_quantity(format_quantity(number)) == number
