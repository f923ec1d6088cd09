"""``junit``: a test for each object, which fails if the object is denied."""

from collections import defaultdict
from xml.sax.saxutils import escape, quoteattr

from webhook.check.formats.lines import one_line
from webhook.check.report import Located, Place, Report, Subject


def junit(report: Report) -> str:
    """The report as XML. Findings that do not deny are the output of their test."""
    findings: dict[tuple[str, Subject], list[Located]] = defaultdict(list)
    for checked in report.checked:
        findings[checked.place.file, checked.subject] = []
    for finding in report.findings:
        findings[finding.place.file, finding.subject].append(finding)
    cases = [_case(file, subject, found) for (file, subject), found in findings.items()]
    failures = sum("<failure" in case for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    head = f'<testsuites {counts}>\n<testsuite name="stagegate check" {counts}>'
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>\n</testsuites>"))


def _case(file: str, subject: Subject, findings: list[Located]) -> str:
    denials = [finding for finding in findings if finding.level == "deny"]
    others = [finding for finding in findings if finding.level != "deny"]
    head = f"<testcase classname={_attribute(file)} name={_attribute(str(subject) or 'document')}"
    if not findings:
        return f"{head}/>"
    body = ""
    if denials:
        first = denials[0]
        type_, message = _attribute(first.id), _attribute(first.text)
        body += f"<failure type={type_} message={message}>{_lines(denials)}</failure>"
    if others:
        body += f"<system-out>{_lines(others)}</system-out>"
    return f"{head}>{body}</testcase>"


def _lines(findings: list[Located]) -> str:
    return escape("\n".join(one_line(_line(finding)) for finding in findings))


def _line(finding: Located) -> str:
    place: Place = finding.place
    way_out = f"; {finding.way_out}" if finding.way_out else ""
    return f"{place.file}:{place.line}:{place.column}: {finding.level} {finding.id} {finding.text}{way_out}"


def _attribute(text: str) -> str:
    return quoteattr(one_line(text))
