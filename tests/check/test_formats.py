"""The report in each format."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.check.runs import RO, SPA, report_on
from webhook.check.formats.github import github
from webhook.check.formats.junit import junit
from webhook.check.formats.lines import compact, text
from webhook.check.formats.sarif import sarif, uri_of
from webhook.check.report import Located, Report
from webhook.check.rules import EVERY_RULE

BAD = f"{SPA}spec:\n  stageMinScale: 5\n  stageMaxScale: 3\n"
WARNED = f"{RO}spec: {{rolloutStrategy: availability}}\n"
NOTED = f"{RO.replace('hello', 'hello, annotations: {stagegate.dev/override: RO099}')}spec: {{rolloutStrategy: x}}\n"
OVERRIDDEN = RO.replace("hello", "hello, annotations: {stagegate.dev/override: RO008}")
OVERRIDDEN = f"{OVERRIDDEN}spec: {{targetRevisions: [{{revisionName: a, percent: 90}}]}}\n"


def excerpt_of(yaml: str, width: int = 0) -> list[str]:
    """The lines below the first one, of the finding of SPA001."""
    report = report_on(yaml)
    report.findings = [finding for finding in report.findings if finding.id == "SPA001"]
    _, *lines = text(report, width=width)
    return lines


EXCERPTS = {
    "a value": ("spec: {stageMinScale: -12}  # why", "spec: {stageMinScale: -12}  # why", "^~~", 22),
    "a tab": (
        "spec: {stageMaxScale:\t1, stageMinScale: -1}",
        "spec: {stageMaxScale:    1, stageMinScale: -1}",
        "^~",
        43,
    ),
    "wide letters": ("spec: {日本: 1, stageMinScale: -1}", "spec: {日本: 1, stageMinScale: -1}", "^~", 31),
    "letters without a width": (
        "spec: {e\u0301: 1, stageMinScale: -1}",
        "spec: {e\u0301: 1, stageMinScale: -1}",
        "^~",
        28,
    ),
    "several lines": ("spec: {stageMinScale: 'a\n  b'}", "spec: {stageMinScale: 'a", "^~", 22),
}


@pytest.mark.parametrize(("yaml", "line", "caret", "cells"), EXCERPTS.values(), ids=EXCERPTS)
def test_the_caret_is_below_the_value(yaml: str, line: str, caret: str, cells: int) -> None:
    way_out = "leave it out to inherit the revision's own bound"
    assert excerpt_of(f"{SPA}{yaml}\n") == [f"   4 | {line}", f"     | {' ' * cells}{caret} {way_out}"]


def test_a_way_out_without_room_stands_below() -> None:
    assert excerpt_of(f"{SPA}spec: {{stageMaxScale: 100, stageMinScale: -12}}\n", 60) == [
        "   4 | spec: {stageMaxScale: 100, stageMinScale: -12}",
        "     |                                           ^~~",
        "     |   leave it out to inherit the revision's own bound",
    ]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize("before", [0, 10, 100, 5000])
@pytest.mark.parametrize("after", [0, 10, 5000])
def test_no_line_is_wider_than_the_terminal(width: int, before: int, after: int) -> None:
    yaml = f"{SPA}spec: {{a: '{'日' * before}', stageMinScale: -123, x: '{'y' * after}'}}\n"
    shown, caret, *_ = lines = excerpt_of(yaml, width)
    assert max(sum(2 if letter == "日" else 1 for letter in line) for line in lines) <= width
    cells = "".join(letter * (2 if letter == "日" else 1) for letter in shown)
    assert cells[caret.index("^") : caret.rindex("~") + 1] == "-123"


def test_compact_is_one_line_for_each_finding() -> None:
    assert [*compact(report_on(BAD, WARNED))] == [
        "1.yaml:5:18: deny SPA002 spec.stageMinScale: Invalid value: 5: must not exceed spec.stageMaxScale (3)",
        "2.yaml:4:1: warn RO013 spec.targetRevisions: Required value: without targets there is nothing to roll out",
    ]


def test_github() -> None:
    denied, noted, warned, *_ = github(report_on(BAD, NOTED))
    assert denied == (
        "::error file=1.yaml,line=5,endLine=5,col=18,endColumn=18,title=SPA002::spec.stageMinScale: Invalid value: 5:"
        " must not exceed spec.stageMaxScale (3); lower it, or raise spec.stageMaxScale (0 stands for no limit)"
    )
    assert noted == (
        "::notice file=2.yaml,line=3,endLine=3,col=63,endColumn=67,title=stagegate::metadata.annotations"
        '[stagegate.dev/override]: "RO099" is not a rule; stagegate rules lists the ids'
    )
    assert warned.startswith("::warning file=2.yaml,line=4,endLine=4,col=1,endColumn=4,title=RO013::")


def test_github_escapes_what_would_end_a_property_or_a_message() -> None:
    report = report_on(f"{SPA}spec: {{stageMinScale: '100%,a:b'}}\n")
    (finding,) = report.findings
    report.findings = [_renamed(finding, "a,b:c%\nd.yaml")]
    (line,) = github(report)
    assert line.startswith(r"::error file=a%2Cb%3Ac%25\nd.yaml,line=4,")
    assert '"100%25,a:b"' in line


def _renamed(finding: Located, file: str) -> Located:
    return replace(finding, place=finding.place._replace(file=file))


class TestJUnit:
    def test_an_object_is_a_test(self) -> None:
        suites = ET.fromstring(junit(report_on(BAD, WARNED, f"{SPA}spec: {{}}\n", "[")))
        assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "4", "2")
        cases = {(each.get("classname"), each.get("name")): each for each in suites.iter("testcase")}
        assert [*cases] == [
            ("1.yaml", "StagePodAutoscaler default/hello-00002"),
            ("2.yaml", "RolloutOrchestrator default/hello"),
            ("3.yaml", "StagePodAutoscaler default/hello-00002"),
            ("4.yaml", "document"),
        ]
        failed, warned, clean, unread = cases.values()
        failure = failed.find("failure")
        assert failure is not None
        assert failure.get("type") == "SPA002"
        assert failure.text is not None
        assert failure.text.startswith("1.yaml:5:18: deny SPA002 spec.stageMinScale: ")
        assert warned.find("failure") is None
        assert "RO013" in (warned.findtext("system-out") or "")
        assert len(clean) == 0
        assert unread.find("failure") is not None

    def test_text_of_any_kind_is_xml(self) -> None:
        report = report_on(f'{SPA}spec: {{stageMinScale: "<a>&\'\\u0001\\uFFFE"}}\n')
        ET.fromstring(junit(report))


class TestSarif:
    @staticmethod
    def run_of(report: Report) -> dict[str, Any]:
        log = json.loads(sarif(report, folder="/repository"))
        assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
        run: dict[str, Any] = log["runs"][0]
        return run

    def test_a_clean_run_has_no_results_and_every_rule(self) -> None:
        run = self.run_of(report_on(f"{SPA}spec: {{}}\n"))
        assert run["results"] == []
        rules = run["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [rule.id for rule in EVERY_RULE]
        assert all(rule["help"]["text"] and rule["help"]["markdown"] for rule in rules)

    def test_a_result_has_its_place_in_code_points(self) -> None:
        run = self.run_of(report_on(f"{SPA}spec: {{a: 🚀, stageMinScale: -12}}\n"))
        assert run["columnKind"] == "unicodeCodePoints"
        result = next(each for each in run["results"] if each["ruleId"] == "SPA001")
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "SPA001"
        assert result["level"] == "error"
        location = result["locations"][0]["physicalLocation"]
        assert location["artifactLocation"] == {"uri": "1.yaml"}
        assert location["region"] == {"startLine": 4, "startColumn": 29, "endLine": 4, "endColumn": 32}

    def test_an_override_is_a_suppression(self) -> None:
        (result,) = self.run_of(report_on(OVERRIDDEN))["results"]
        assert (result["ruleId"], result["level"]) == ("RO008", "warning")
        assert [each["kind"] for each in result["suppressions"]] == ["inSource"]

    def test_a_note_belongs_to_no_rule(self) -> None:
        note = next(each for each in self.run_of(report_on(NOTED))["results"] if each["level"] == "note")
        assert "ruleId" not in note

    def test_no_place_is_below_one(self) -> None:
        for broken in ("", "[", "\n", "a: \0", b"\xff", f"{RO}", "kind: StagePodAutoscaler"):
            for result in self.run_of(report_on(broken))["results"]:
                assert min(result["locations"][0]["physicalLocation"]["region"].values()) >= 1

    def test_fingerprints_stay_when_lines_and_values_change_and_differ_otherwise(self) -> None:
        def prints(yaml: str) -> list[str]:
            return [
                each["partialFingerprints"]["stagegateFinding/v1"] for each in self.run_of(report_on(yaml))["results"]
            ]

        entries = "targetRevisions: [{revisionName: A, percent: 50}, {revisionName: B, percent: 50}]"
        before = prints(f"{BAD}---\n{RO}spec: {{{entries}}}\n")
        assert len(set(before)) == len(before)
        after = prints(f"# new\n\n{BAD.replace('5', '7')}---\n{RO}spec: {{{entries}}}\n")
        assert before == after
        assert set(prints(BAD.replace("hello-00002", "hello-00003"))).isdisjoint(before)


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a/b.yaml", "a/b.yaml"),
        ("./a.yaml", "a.yaml"),
        ("/repository/a b#c%.yaml", "a%20b%23c%25.yaml"),
        ("../a.yaml", "file:///a.yaml"),
        ("/elsewhere/ü.yaml", "file:///elsewhere/%C3%BC.yaml"),
        ("b\udcff.yaml", "b%FF.yaml"),
        ("stdin", "stdin"),
    ],
)
def test_the_uri_of_a_file(file: str, uri: str) -> None:
    assert uri_of(file, "/repository") == uri
