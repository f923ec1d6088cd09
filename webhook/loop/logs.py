"""One line for each thing that happens: text for people, JSON for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

FORMATS: Final = ("text", "json")


class TextLine(logging.Formatter):
    """``2026-01-02T03:04:05Z info    default/hello: ...``"""

    def format(self, record: logging.LogRecord) -> str:
        facts = facts_of(record)
        error = f" ({facts['error']})" if "error" in facts else ""
        return f"{facts['time']} {facts['level']:7} {facts['message']}{error}"


class JsonLine(logging.Formatter):
    """One object a line: time, level, logger, message, and error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts_of(record), ensure_ascii=True)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a line says. An exception is its type, its text and the place it came from, on the same line."""
    facts = {
        "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": " ".join(record.getMessage().split()),
    }
    if record.exc_info and record.exc_info[1] is not None:
        problem, trace = record.exc_info[1], record.exc_info[2]
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
        facts["error"] = " ".join(f"{type(problem).__name__}: {problem}{where}".split())
    return facts


def set_up(form: str, level: str, stream: TextIO = sys.stderr) -> None:
    """Send every record to ``stream``. ``form`` is one of FORMATS, ``level`` a name such as ``info``."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLine() if form == "json" else TextLine())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # The connection pool tells of every connection; that is for debugging it, not us.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
