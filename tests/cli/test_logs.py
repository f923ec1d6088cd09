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
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("one\ntwo", exc_info=sys.exc_info(), fields={"name": "a\nb"})
    line = form.format(made)
    assert "\n" not in line
    assert "one two" in line
    assert facts_of(made)["error"].startswith("ValueError: first second at ")


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
