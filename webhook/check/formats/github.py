"""``github``: workflow commands, which GitHub shows at the lines of a pull request."""

from collections.abc import Iterator
from typing import Final

from webhook.check.formats.lines import one_line
from webhook.check.report import Located, Report

_COMMANDS: Final = {"deny": "error", "warn": "warning", "note": "notice"}


def github(report: Report) -> Iterator[str]:
    """One command for each finding."""
    return map(_command, report.findings)


def _command(finding: Located) -> str:
    place = finding.place
    properties = {"file": one_line(place.file), "line": place.line, "endLine": place.end_line}
    if place.line == place.end_line:
        # GitHub refuses columns that span lines, and counts the last one as inside.
        properties |= {"col": place.column, "endColumn": max(place.column, place.end_column - 1)}
    properties["title"] = finding.id or "stagegate"
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    message = f"{finding.text}; {finding.way_out}" if finding.way_out else finding.text
    return f"::{_COMMANDS[finding.level]} {listed}::{_escaped(one_line(message))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
