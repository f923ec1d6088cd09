"""One-line structured logs: JSON for machines, the same facts as text for a terminal; never a body, never a key."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

from gunicorn.glogging import Logger

FORMATS: Final = ("auto", "json", "text")
_THEIRS: Final = ("gunicorn.error", "gunicorn.access")


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


def _word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


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


def set_up(form: str, level: str) -> None:
    """Send every record to standard error; ``form`` is one of FORMATS, auto being text on a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLine() if text else JsonLine())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Starting, booting and stopping is told in our own words; the rest of gunicorn's tales are for debugging.
    logging.getLogger("gunicorn.error").setLevel("DEBUG" if level == "debug" else "WARNING")


class Logs(Logger):  # type: ignore[misc]
    """Gunicorn's logger, on the handlers that are already there."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        for name in _THEIRS:
            logging.getLogger(name).propagate = True

    def reopen_files(self) -> None:
        """There are none."""

    def close_on_exec(self) -> None:
        """There are no files of ours."""
