"""Which messages of exceptions repeat something of the object under review."""

from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

from webhook.server.quotation import quoting

OBJECT = {
    "metadata": {
        "name": "hello",
        "annotations": {"token": 'hunter2 "quoted"\nnewline', "other": "gr\u00fcn", "note": "nothing has changed"},
    },
    "spec": {"x-internal-key": [1.5, "deadbeef" * 20]},
}


def bug(obj: Any = None) -> Any:
    return (obj or {})["metadata"]["name"]


def raised(fails: Callable[[], Any]) -> BaseException:
    try:
        fails()
    except Exception as problem:
        return problem
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "message",
    [
        "hunter2",
        "['hunter2', 1]",
        str({"spec": OBJECT}),
        "cannot read deadbeefdead...",
        "invalid literal for int() with base 10: 'quoted'",
        'a message with "newline" in it',
        "'internal'",
        repr("gr\u00fcn"),
    ],
)
def test_a_quotation(message: str) -> None:
    assert quoting(ValueError(), lambda: [OBJECT, None])(message)


def test_a_large_object_is_not_searched() -> None:
    quotes = quoting(ValueError(), lambda: [{"data": "x" * (7 * 1024 * 1024)}])
    begun = process_time()
    assert quotes(" ".join(f"absent{number}" for number in range(200)))
    assert process_time() - begun < 0.5


@pytest.mark.parametrize(
    "message",
    [
        "'NoneType' object has no attribute 'get'",
        "'<' not supported between instances of 'str' and 'int'",
        "list index out of range",
        "division by zero",
        "",
        "1",
        "unter2",
    ],
)
def test_what_the_interpreter_says_is_none(message: str) -> None:
    objects = [{"spec": {"strategy": "str", "internal": "resourceutil", "notes": [], "hunter2": 1}}]
    assert not quoting(ValueError(), lambda: objects)(message)


def test_words_of_the_code_that_raised_and_of_the_names_in_the_line_are_none() -> None:
    problem = raised(bug)
    assert not quoting(problem, lambda: [OBJECT])(str(problem))
    assert quoting(ValueError(), lambda: [OBJECT])(str(problem))
    assert not quoting(ValueError(), lambda: [OBJECT], ["hello"])("no hello")


def test_the_code_that_raised_a_cause_counts_too() -> None:
    def fails() -> None:
        try:
            bug()
        except KeyError as problem:
            raise ValueError(problem) from problem

    problem = raised(fails)
    assert not quoting(problem, lambda: [OBJECT])(str(problem))
