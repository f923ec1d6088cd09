"""One line for each thing that happens: JSON for machines, the same facts as text for people; never a body, a key."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

FORMATS: Final = ("auto", "json", "text")


class JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts_of(record), ensure_ascii=True)


class TextLine(logging.Formatter):
    """The same facts: time, level, message, then ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        facts = facts_of(record)
        head = f"{facts.pop('time')} {facts.pop('level'):7} {facts.pop('message')}"
        facts.pop("logger")
        return " ".join([head, *(f"{name}={_word(value)}" for name, value in facts.items())])


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts of a record; an exception is its kind and text, and the place it came from, on the same line."""
    facts = {
        "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": " ".join(record.getMessage().split()),
        **getattr(record, "fields", {}),
    }
    if record.exc_info and record.exc_info[1] is not None:
        problem, trace = record.exc_info[1], record.exc_info[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        facts["error"] = " ".join(f"{type(problem).__name__}: {problem}{where}".split())
    return facts


def set_up(form: str, level: str, stream: TextIO | None = None) -> None:
    """Send every record to ``stream``, standard error if None.

    ``form`` is one of FORMATS, auto being text on a terminal; ``level`` is a name such as ``info``.
    """
    stream = stream or sys.stderr
    text = form == "text" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLine() if text else JsonLine())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # The connection pool tells of every connection; that is for debugging it, not us.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # Starting, booting and stopping is told in our own words; the rest of gunicorn's tales are for debugging.
    logging.getLogger("gunicorn.error").setLevel("DEBUG" if level == "debug" else "WARNING")


def _word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)
