"""``sarif``: SARIF 2.1.0, which GitHub, Azure DevOps and editors read."""

import hashlib
import json
import os
import re
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from webhook.admission.rules import Rule
from webhook.check.formats.lines import one_line
from webhook.check.report import Level, Located, Report
from webhook.check.rules import EVERY_RULE

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[dict[Level, str]] = {"deny": "error", "warn": "warning", "note": "note"}
_INDEXES: Final = {rule.id: index for index, rule in enumerate(EVERY_RULE)}
_INDEX: Final = re.compile(r"\[\d+\]")
FINGERPRINT: Final = "stagegateFinding/v1"


def sarif(report: Report, *, folder: str = "") -> str:
    """One run with every rule. ``folder`` is the root that the paths of results are relative to."""
    seen: Counter[str] = Counter()
    driver = {
        "name": "stagegate",
        "version": metadata.version("stagegate"),
        "rules": [_rule(rule) for rule in EVERY_RULE],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, folder or str(Path.cwd()), seen) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    bad, good = (f"```yaml\n{text}\n```" for text in (rule.bad, rule.good))
    return {
        "id": rule.id,
        "name": rule.id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.protects},
        "help": {
            "text": f"{rule.protects}\n\nBad:\n{rule.bad}\n\nGood:\n{rule.good}",
            "markdown": f"{rule.protects}\n\nBad:\n\n{bad}\n\nGood:\n\n{good}",
        },
        "defaultConfiguration": {"level": "error" if rule.severity == "deny" else "warning"},
    }


def _result(finding: Located, folder: str, seen: Counter[str]) -> dict[str, Any]:
    place = finding.place
    region = {
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri_of(place.file, folder)}, "region": region}
    location: dict[str, Any] = {"physicalLocation": physical}
    if finding.subject.kind:
        name = f"{finding.subject} {finding.field}".strip()
        location["logicalLocations"] = [{"fullyQualifiedName": one_line(name), "kind": "member"}]
    text = f"{finding.text}; {finding.way_out}" if finding.way_out else finding.text
    result: dict[str, Any] = {"ruleId": finding.id, "ruleIndex": _INDEXES[finding.id]} if finding.id else {}
    result |= {
        "level": _LEVELS[finding.level],
        "message": {"text": one_line(text)},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding, seen)},
    }
    if finding.effect == "overridden":
        justification = "the annotation stagegate.dev/override names the rule"
        result["suppressions"] = [{"kind": "inSource", "justification": justification}]
    return result


def _fingerprint(finding: Located, seen: Counter[str]) -> str:
    """The same for the same finding in an object, whatever its line and value are."""
    subject = finding.subject
    where = (subject.kind, subject.namespace, subject.name) if subject.kind else (finding.place.file,)
    identity = "\0".join((finding.id, *where, _INDEX.sub("[]", finding.field)))
    seen[identity] += 1
    return hashlib.sha256(f"{identity}\0{seen[identity]}".encode(errors="replace")).hexdigest()[:32]


def uri_of(file: str, folder: str) -> str:
    """The path of a file as a URI: relative within the folder, else absolute."""
    path = os.path.normpath(Path(folder, file))
    if path.startswith(os.path.join(folder, "")):  # noqa: PTH118
        return quote(os.fsencode(os.path.relpath(path, folder)))
    return "file://" + quote(os.fsencode(path))
