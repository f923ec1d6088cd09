"""Bounds of values: what is too deep, and what aliases make too large, as a parser comes upon it."""

from collections.abc import Callable

import pytest

from webhook.value_bounds import MAX_DEPTH, MAX_REPEATED, OutOfBounds, ValueBounds

Step = Callable[[ValueBounds], None]


def begin(anchor: str | None = None) -> Step:
    return lambda bounds: bounds.begin(anchor)


def scalar(anchor: str | None = None) -> Step:
    return lambda bounds: bounds.scalar(anchor)


def alias(name: str) -> Step:
    return lambda bounds: bounds.alias(name)


END: Step = ValueBounds.end
DOCUMENT: Step = ValueBounds.begin_document


def problem_of(*steps: Step, most: int | None = None) -> str | None:
    """Why the last step is refused; those before it are within bounds."""
    bounds = ValueBounds(most)
    for step in steps[:-1]:
        step(bounds)
    try:
        steps[-1](bounds)
    except OutOfBounds as problem:
        return problem.problem
    return None


DEEP = f"is nested more than {MAX_DEPTH} deep"
LARGE = f"has aliases that stand for more than {MAX_REPEATED:,} values"
HALF = MAX_DEPTH // 2
LIST_OF_999 = [begin("list"), *[scalar()] * 999, END]

ROWS = {
    "as deep as may be": ([begin()] * MAX_DEPTH, None),
    "one deeper": ([begin()] * (MAX_DEPTH + 1), DEEP),
    "beside each other": ([begin(), *[begin(), END] * MAX_DEPTH], None),
    "an alias as deep as may be": (
        [begin(), *[begin("a")], *[begin()] * (HALF - 1), *[END] * HALF, *[begin()] * (HALF - 1), alias("a")],
        None,
    ),
    "an alias one deeper": (
        [begin(), *[begin("a")], *[begin()] * (HALF - 1), *[END] * HALF, *[begin()] * HALF, alias("a")],
        DEEP,
    ),
    "many values without aliases": ([begin(), *[scalar()] * (MAX_REPEATED + 1)], None),
    "as many repeated as may be": ([begin(), *LIST_OF_999, *[alias("list")] * 1000], None),
    "one more": ([begin(), *LIST_OF_999, *[alias("list")] * 1001], LARGE),
    "in two documents": (
        [begin(), *LIST_OF_999, *[alias("list")] * 1000, END, DOCUMENT, begin(), *LIST_OF_999, alias("list")],
        LARGE,
    ),
    "aliases of aliases": (
        [begin(), *LIST_OF_999, begin("more"), *[alias("list")] * 998, END, alias("more")],
        LARGE,
    ),
    "an alias before its anchor": ([begin(), alias("a")], "has the alias *a without an anchor &a before it"),
    "the anchor of another document": (
        [scalar("a"), DOCUMENT, alias("a")],
        "has the alias *a without an anchor &a before it",
    ),
    "an anchor that is made anew": ([begin("a"), END, scalar("a"), alias("a")], None),
    "in itself": ([begin("a"), alias("a")], "has the alias *a inside what it stands for"),
    "a long name": ([begin("a" * 500), alias("a" * 500)], f"has the alias *{'a' * 64} inside what it stands for"),
}


@pytest.mark.parametrize(("steps", "problem"), ROWS.values(), ids=ROWS)
def test_bounds(steps: list[Step], problem: str | None) -> None:
    assert problem_of(*steps) == problem


MANY = "has more than 4 values, which no API server takes"
WRITTEN = {
    "as many as may be": ([begin(), scalar(), scalar(), scalar()], None),
    "one more": ([begin(), scalar(), scalar(), scalar(), scalar()], MANY),
    "one more list": ([begin(), begin(), begin(), begin(), begin()], MANY),
    "in two documents": ([begin(), scalar(), END, DOCUMENT, begin(), scalar(), scalar()], MANY),
    "beside what aliases stand for": ([begin(), scalar("a"), *[alias("a")] * 9, scalar(), scalar()], None),
}


@pytest.mark.parametrize(("steps", "problem"), WRITTEN.values(), ids=WRITTEN)
def test_bounds_of_what_is_written(steps: list[Step], problem: str | None) -> None:
    assert problem_of(*steps, most=4) == problem
