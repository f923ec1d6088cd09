"""Values as messages show them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.admission.rules.field_error import MAX_ECHO, echo


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5, "5"),
        (-1, "-1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ("up", '"up"'),
        ('a "b"\n', r'"a \"b\"\n"'),
        ("é", r'"\u00e9"'),
        ([1, 2], "a list"),
        ({"a": 1}, "an object"),
        (10**400, "a number beyond all ranges"),
        (float("inf"), "a number beyond all ranges"),
        ("h" * 100, '"' + "h" * 59 + '..."'),
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value: Any, shown: str) -> None:
    assert echo(value) == shown


def test_a_number_that_python_refuses_to_print_is_no_error() -> None:
    assert echo(-(10**5000)) == "a number beyond all ranges"


@given(st.text())
def test_no_text_breaks_a_message(text: str) -> None:
    shown = echo(text)
    assert len(shown) <= MAX_ECHO
    assert shown.isascii()
    assert shown.isprintable()
