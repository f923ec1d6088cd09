"""``stagegate rules`` and ``stagegate explain-rule``: the one table of rules, for people and for programs."""

import json

import pytest
import yaml

from tests.cli.terminals import on_terminal
from webhook.check.rules import EVERY_RULE
from webhook.cli import main

SPA002 = """\
SPA002 (deny): the minimum is above the maximum (a maximum of 0 means no limit)

No number of replicas satisfies both bounds. The autoscaler keeps one of them and does not say
which.

Checked by the webhook and stagegate check, also in the CRD.

bad:
  spec: {stageMinScale: 5, stageMaxScale: 3}

good:
  spec: {stageMinScale: 2, stageMaxScale: 5}
"""


def test_the_rules_are_listed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["ID", "SEVERITY", "FINDING"]
    assert [line.split(maxsplit=2) for line in lines] == [[rule.id, rule.severity, rule.summary] for rule in EVERY_RULE]


@pytest.mark.parametrize("columns", [80, 200])
def test_the_list_fits_a_terminal(columns: int) -> None:
    code, shown = on_terminal(["-m", "webhook", "rules"], columns=columns)
    assert code == 0
    assert max(map(len, shown.splitlines())) <= columns
    assert [line.split()[0] for line in shown.splitlines()[1:] if line[0] != " "] == [rule.id for rule in EVERY_RULE]


@pytest.mark.parametrize("columns", [80, 200])
def test_an_explanation_fits_a_terminal(columns: int) -> None:
    code, shown = on_terminal(["-m", "webhook", "explain-rule", "SPA003", "RO001"], columns=columns)
    assert code == 0
    prose = [line for line in shown.splitlines() if not line.startswith("  ")]
    assert max(map(len, prose)) <= columns


def test_a_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-rule", "spa002"]) == 0
    assert capsys.readouterr().out == SPA002


def test_every_rule_is_explained_with_its_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-rule", *(rule.id for rule in EVERY_RULE)]) == 0
    shown = capsys.readouterr().out
    for rule in EVERY_RULE:
        assert f"{rule.id} ({rule.severity}): " in shown
        for line in (*rule.bad.splitlines(), *rule.good.splitlines()):
            assert line.replace("\t", "<tab>") in shown


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_programs_get_the_same_of_both(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "-o", form]) == 0
    read = json.loads if form == "json" else yaml.safe_load
    listed = read(capsys.readouterr().out)
    assert (listed["apiVersion"], listed["kind"]) == ("stagegate.dev/v1alpha1", "RuleList")
    assert [item["id"] for item in listed["items"]] == [rule.id for rule in EVERY_RULE]
    assert main(["explain-rule", "SPA002", "-o", form]) == 0
    assert read(capsys.readouterr().out)["items"] == [listed["items"][1]]


def test_an_unknown_rule_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-rule", "SPA0002"]) == 2
    line = "stagegate explain-rule: SPA0002: there is no such rule; did you mean SPA002?\n"
    assert capsys.readouterr() == ("", line)
    assert main(["explain-rule", "\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err
