"""Log lines: one each, whatever is logged, in both formats."""

import json
import logging
import sys
from typing import Any

from webhook.server.logs import JsonLine, TextLine, facts_of


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
    line = TextLine().format(record("denied", fields={"name": "hello"}))
    assert line == "2030-01-01T00:00:00.125Z info    denied name=hello"


def test_what_has_many_lines_is_one_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("one\ntwo", exc_info=sys.exc_info(), fields={"name": "a\nb"})
    for form in (JsonLine(), TextLine()):
        assert "\n" not in form.format(made)
    assert facts_of(made)["error"].startswith("ValueError: first second at ")
