"""Log records: one JSON object a line for machines, the same facts as text for people; never a body or a key."""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TextIO, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])

FORMATS: Final = ("auto", "json", "text")

_LONGEST_TRACEBACK: Final = 16_000
_LONGEST_ERROR: Final = 512
"""An exception can carry the whole object that it is about."""
_MOST_CAUSES: Final = 16
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def log_options(option: Callable[..., Any]) -> Callable[[_F], _F]:
    """Add --log-format and --log-level, by this decorator of options."""

    def decorated(command: _F) -> _F:
        levels = click.Choice(["debug", "info", "warning"])
        added = option("--log-level", type=levels, default="info", help="The least level that is logged.")(command)
        result: _F = option(
            "--log-format", type=click.Choice(FORMATS), default="auto", help="auto: text on a terminal."
        )(added)
        return result

    return decorated


class JsonLine(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts_of(record), ensure_ascii=True)


class TextLine(logging.Formatter):
    """The same facts: time, level, message, then ``name=value``; a traceback follows on lines of its own, indented."""

    def format(self, record: logging.LogRecord) -> str:
        facts = facts_of(record)
        head = f"{facts.pop('time')} {facts.pop('level'):7} {facts.pop('message')}"
        facts.pop("logger")
        frames = facts.pop("traceback", "").splitlines()
        line = " ".join([head, *(f"{name}={_word(value)}" for name, value in facts.items())])
        return "\n".join([line, *(f"    {frame}" for frame in frames)])


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts of a record. Of an exception ``error`` is one line, ``traceback`` every frame and every cause.

    If the record has ``is_withheld``, messages of exceptions for which that returns True are left out.
    """
    facts = {
        "time": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": " ".join(record.getMessage().split()),
        **getattr(record, "fields", {}),
    }
    if record.exc_info and record.exc_info[1] is not None:
        problem = record.exc_info[1]
        is_withheld = getattr(record, "is_withheld", None) or _nothing
        facts["error"] = " ".join(_line_of(problem, is_withheld).split())
        facts["traceback"] = _traceback_of(problem, is_withheld)
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
    # The connection pool logs every connection, which is noise here.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # Our own lines report start and stop; what gunicorn logs below warnings is noise here.
    logging.getLogger("gunicorn.error").setLevel("DEBUG" if level == "debug" else "WARNING")


def _nothing(_message: str) -> bool:
    return False


def _line_of(problem: BaseException, is_withheld: Callable[[str], bool]) -> str:
    """The type and the message of an exception, cut to _LONGEST_ERROR characters."""
    name = type(problem).__name__
    try:
        message = str(problem)
        if is_withheld(message[:_LONGEST_ERROR]):
            return f"{name}: [its message is left out, since it quotes the object]"
    except Exception as fault:
        return f"{name}: its message raised {type(fault).__name__}"
    line = f"{name}: {message}"
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]} [{len(line) - _LONGEST_ERROR} more]"


def _traceback_of(problem: BaseException, is_withheld: Callable[[str], bool]) -> str:
    """The frames of an exception and of each that led to it, oldest first; of a very long one the middle is left out.

    Unlike what Python prints, no message is longer than _LONGEST_ERROR characters.
    """
    parts: list[str] = []
    each: BaseException | None = problem
    while each is not None and len(parts) < _MOST_CAUSES:
        between = _CAUSE if each.__cause__ is not None else _CONTEXT
        before = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        frames = "".join(traceback.format_tb(each.__traceback__))
        head = "Traceback (most recent call last):\n" if frames else ""
        parts.append(f"{between if before is not None else ''}{head}{frames}{_line_of(each, is_withheld)}")
        each = before
    whole = "\n".join(reversed(parts))
    if len(whole) <= _LONGEST_TRACEBACK:
        return whole
    half = _LONGEST_TRACEBACK // 2
    return f"{whole[:half]}\n[{len(whole) - 2 * half} characters left out]\n{whole[-half:]}"


def _word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)
