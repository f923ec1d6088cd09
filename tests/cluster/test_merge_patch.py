"""The merge patch: the least that turns one object into another."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.fake_api import merged
from webhook.cluster.merge_patch import merge_patch

VALUES = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2),
    lambda children: st.dictionaries(st.sampled_from("xyz"), children, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {}, {"a": None}),
        ({}, {"a": 0}, {"a": 0}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": None}, {}, {}),
    ],
)
def test_rows(before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]) -> None:
    assert merge_patch(before, after) == patch


@given(OBJECTS, OBJECTS)
def test_a_patch_applied_gives_the_other_object_and_a_second_one_is_empty(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    patch = merge_patch(before, after)
    assert merged(before, patch) == after
    assert merge_patch(after, after) == {}
