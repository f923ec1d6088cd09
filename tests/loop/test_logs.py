"""Log lines: one for each thing, for people or for machines."""

import io
import json
import logging
import sys

import pytest

from webhook.loop.logs import JsonLine, TextLine, set_up


def record(message: str, fault: Exception | None = None) -> logging.LogRecord:
    exc_info = None
    if fault is not None:
        try:
            raise fault
        except Exception:
            exc_info = sys.exc_info()
    made = logging.LogRecord("webhook.loop", logging.WARNING, "f.py", 1, message, None, exc_info)
    made.created = 1767323045.25
    return made


def test_text() -> None:
    assert TextLine().format(record("rollout default/hello: done")) == (
        "2026-01-02T03:04:05.250Z warning rollout default/hello: done"
    )


def test_json() -> None:
    assert json.loads(JsonLine().format(record("done"))) == {
        "time": "2026-01-02T03:04:05.250Z",
        "level": "warning",
        "logger": "webhook.loop",
        "message": "done",
    }


@pytest.mark.parametrize("line", [TextLine(), JsonLine()])
def test_a_fault_and_a_message_with_line_breaks_stay_on_one_line(line: logging.Formatter) -> None:
    shown = line.format(record("two\nlines", ValueError("broken\nhere")))
    assert "\n" not in shown
    assert "two lines" in shown
    assert "ValueError: broken here at " in shown


def test_set_up_sends_everything_to_the_stream() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        set_up("json", "info", stream)
        logging.getLogger("webhook.loop").info("hello")
        logging.getLogger("webhook.loop").debug("quiet")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["hello"]
