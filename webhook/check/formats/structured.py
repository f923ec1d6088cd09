"""The report as a value for programs, for ``json`` and ``yaml``."""

from typing import Any, Final

from webhook.check.report import Checked, Located, Report, Subject

KIND: Final = "CheckReport"


def report_object(report: Report, *, with_fills: bool = False) -> dict[str, Any]:
    """The report in JSON's types. Lines and columns begin at 1; ``endColumn`` is the one after the end."""
    whole: dict[str, Any] = {"findings": [_finding(finding) for finding in report.findings]}
    if with_fills:
        whole["fills"] = [_fill(checked) for checked in report.checked if checked.fills]
    whole["summary"] = {
        "files": report.files,
        "objects": len(report.checked),
        "denied": report.count("deny"),
        "warnings": report.count("warn"),
        "notes": report.count("note"),
        "unchanged": report.unchanged,
        "skipped": dict(sorted(report.skipped.items())),
    }
    return whole


def _finding(finding: Located) -> dict[str, Any]:
    place = finding.place
    return {
        "id": finding.id or None,
        "level": finding.level,
        "effect": finding.effect or None,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
        "field": finding.field,
        "message": finding.problem,
        "wayOut": finding.way_out,
        "object": _object(finding.subject),
    }


def _fill(checked: Checked) -> dict[str, Any]:
    patch = [{"op": "add", "path": pointer, "value": value} for pointer, value in checked.fills]
    place = checked.place
    return {"file": place.file, "line": place.line, "object": _object(checked.subject), "patch": patch}


def _object(subject: Subject) -> dict[str, str] | None:
    return {"kind": subject.kind, "namespace": subject.namespace, "name": subject.name} if subject.kind else None
