"""Findings as field errors in the form of the API server, with values shortened and printable."""

import re
from datetime import date
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from webhook.admission.rules.table import Rule
from webhook.admission.verdict import DUPLICATE, INVALID, NOT_SUPPORTED, REQUIRED, TOO_MANY, Finding
from webhook.api.wire import kind_of

MAX_ECHO: Final = 64
"""The longest echo of a value, in characters."""

# Python refuses to print numbers of more than some thousand digits.
_MAX_NUMBER: Final = 10**32

_is_day: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
_is_time: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:.\d+)?(?:z|[+-]\d\d:\d\d)", re.ASCII).fullmatch

MAX_FINDINGS: Final = 1000
"""Rules stop after about this many findings in one object: a hostile list could cause millions."""


def echo(value: Any) -> str:
    """A JSON value as shown in messages: ASCII, one line, at most MAX_ECHO characters."""
    if isinstance(value, str):
        text = encode_basestring_ascii(value[:MAX_ECHO])
        if len(value) <= MAX_ECHO and len(text) <= MAX_ECHO:
            return text
        return text[: MAX_ECHO - 4].rstrip('"') + '..."'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if -_MAX_NUMBER <= value <= _MAX_NUMBER else "a number beyond all ranges"
    return kind_of(value)


def invalid(rule: Rule, field: str, value: Any, *, problem: str, way_out: str) -> Finding:
    return _finding(rule, field, INVALID, f"Invalid value: {echo(value)}: {problem}", way_out)


def duplicate(rule: Rule, field: str, value: Any, *, problem: str, way_out: str) -> Finding:
    return _finding(rule, field, DUPLICATE, f"Duplicate value: {echo(value)}: {problem}", way_out)


def required(rule: Rule, field: str, *, problem: str, way_out: str) -> Finding:
    return _finding(rule, field, REQUIRED, f"Required value: {problem}", way_out)


def unsupported(rule: Rule, field: str, value: Any, *, supported: tuple[str, ...], way_out: str) -> Finding:
    words = ", ".join(f'"{word}"' for word in supported)
    return _finding(rule, field, NOT_SUPPORTED, f"Unsupported value: {echo(value)}: supported values: {words}", way_out)


def too_many(rule: Rule, field: str, *, count: int, most: int, way_out: str) -> Finding:
    """A list of ``count`` items that may have ``most``."""
    return _finding(rule, field, TOO_MANY, f"Too many: {count}: must have at most {most} items", way_out)


def as_warning(finding: Finding) -> Finding:
    """The same finding as a warning, for the cases in which a denying rule only warns."""
    return finding._replace(severity="warn")


def in_schema(finding: Finding, path: str = "") -> Finding:
    """The same finding, marked as one that the CRD's schema refuses too.

    ``path`` is where the schema refuses it; by default the field, or the list that contains it.
    """
    return finding._replace(schema_path=path or finding.field.partition("[")[0])


def is_date_time(value: Any) -> bool:
    """True if the schema accepts a JSON value as a time: RFC 3339 in any case and with any offset."""
    if not isinstance(value, str):
        return False
    day, _, rest = value.lower().partition("t")
    if _is_day(day) is None or _is_time(rest.partition("t")[0]) is None:
        return False
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _finding(rule: Rule, field: str, reason: str, problem: str, way_out: str) -> Finding:
    body = f"{problem} [{rule.id}]; {way_out}" if way_out else f"{problem} [{rule.id}]"
    return Finding(id=rule.id, severity=rule.severity, field=field, reason=reason, body=body)
