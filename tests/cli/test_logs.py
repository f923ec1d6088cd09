"""Log lines: one each, whatever is logged, for machines and for people."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from webhook.cli.logs import JsonLine, TextLine, facts_of, set_up


def record(message: str, *arguments: Any, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("stagegate.x", logging.INFO, "file", 1, message, arguments, None)
    made.created = 1893456000.125
    made.__dict__.update(extra)
    return made


def test_json() -> None:
    line = JsonLine().format(record("denied %s", "it", fields={"name": "hello", "ids": "SPA002"}))
    assert json.loads(line) == {
        "time": "2030-01-01T00:00:00.125Z",
        "level": "info",
        "logger": "stagegate.x",
        "message": "denied it",
        "name": "hello",
        "ids": "SPA002",
    }


def test_text() -> None:
    line = TextLine().format(record("denied", fields={"name": "hello", "why": "two words"}))
    assert line == '2030-01-01T00:00:00.125Z info    denied name=hello why="two words"'


@pytest.mark.parametrize("form", [JsonLine(), TextLine()])
def test_what_has_many_lines_is_one_line(form: logging.Formatter) -> None:
    line = form.format(record("one\ntwo", fields={"name": "a\nb"}))
    assert "\n" not in line
    assert "one two" in line


def inner() -> None:
    raise ValueError("first\nsecond")


def outer() -> None:
    try:
        inner()
    except ValueError as cause:
        raise RuntimeError("above") from cause


def failed() -> logging.LogRecord:
    try:
        outer()
    except RuntimeError:
        return record("it failed", exc_info=sys.exc_info())
    raise AssertionError("nothing was raised")


def test_an_exception_is_logged_with_every_frame_and_every_cause() -> None:
    line = JsonLine().format(failed())
    assert "\n" not in line
    facts = json.loads(line)
    assert facts["error"] == "RuntimeError: above"
    for part in ("in failed", "in outer", "in inner", "ValueError: first\nsecond", "direct cause"):
        assert part in facts["traceback"]


def test_an_exception_whose_message_raises_is_logged_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    facts = facts_of(record("failed", exc_info=(Mute, Mute(), None)))
    assert facts["error"] == facts["traceback"] == "Mute: its message raised ZeroDivisionError"


def test_a_message_that_must_be_left_out_is_in_neither_the_line_nor_the_traceback() -> None:
    made = failed()
    made.is_withheld = lambda message: message == "above"
    facts = facts_of(made)
    assert facts["error"] == "RuntimeError: [its message is left out, since it quotes the object]"
    assert "above" not in facts["traceback"].replace("above exception", "").replace('RuntimeError("above")', "")
    assert "ValueError: first\nsecond" in facts["traceback"]


def test_a_message_of_which_nobody_can_say_whether_it_quotes_is_left_out() -> None:
    def fails(_message: str) -> bool:
        raise RecursionError

    made = failed()
    made.is_withheld = fails
    assert facts_of(made)["error"] == "RuntimeError: its message raised RecursionError"


def test_for_people_the_frames_follow_the_line() -> None:
    first, *frames = TextLine().format(failed()).splitlines()
    assert first.endswith('it failed error="RuntimeError: above"')
    assert frames
    assert all(frame.startswith("    ") for frame in frames)
    assert frames[-1] == "    RuntimeError: above"


def test_a_traceback_has_a_bound() -> None:
    try:
        raise ValueError("x" * 100_000)
    except ValueError:
        made = record("it failed", exc_info=sys.exc_info())
    assert len(facts_of(made)["traceback"]) < 20_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
        ("auto", Terminal(), False),
        ("auto", io.StringIO(), True),
    ],
)
def test_everything_goes_to_the_stream_from_the_level_on(form: str, stream: io.StringIO, is_json: bool) -> None:
    set_up(form, "info", stream)
    logging.getLogger("webhook.loop").info("hello")
    logging.getLogger("webhook.loop").debug("quiet")
    (line,) = stream.getvalue().splitlines()
    assert (json.loads(line)["message"] if is_json else line.rpartition(" ")[2]) == "hello"
