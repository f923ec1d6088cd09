"""The names of the strategies in the policy and the CRD: those of the table, and no others."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.strategies import DEFAULT_STRATEGY, STRATEGIES

MANIFESTS = Path(__file__).parents[2] / "manifests"


def validation(rule: str) -> dict[str, Any]:
    """The validation of the policy for ROs whose message names the rule."""
    text = (MANIFESTS / "policies" / "rolloutorchestrators.yaml").read_text()
    policy = next(one for one in yaml.safe_load_all(text) if one["kind"] == "ValidatingAdmissionPolicy")
    (found,) = (one for one in policy["spec"]["validations"] if f"[{rule}]" in one["message"])
    return dict(found)


@pytest.fixture(scope="module")
def pattern() -> re.Pattern[str]:
    """The regular expression that RO009 matches ``spec.rolloutStrategy`` with."""
    (literal,) = re.findall(r"s\.rolloutStrategy\.matches\('([^']*)'\)", validation("RO009")["expression"])
    return re.compile(literal.replace("\\\\", "\\"))


@pytest.mark.parametrize("name", [*STRATEGIES, ""])
def test_the_policy_accepts_each_strategy_in_any_case_and_a_blank(pattern: re.Pattern[str], name: str) -> None:
    assert all(pattern.search(spelling) for spelling in (name, name.upper(), f" {name}\n"))


def test_the_policy_names_every_strategy_and_accepts_no_other(pattern: re.Pattern[str]) -> None:
    message = validation("RO009")["message"]
    assert f"must be {' or '.join(STRATEGIES)} " in message
    assert message.strip().endswith(f"leave it out for {DEFAULT_STRATEGY}")
    named = re.sub(r"\(\?-i:\[(.)[^]]*\]\)", r"\1", pattern.pattern)
    (alternatives,) = re.findall(r"\(([a-z|]+)\)\?", named)
    assert alternatives.split("|") == list(STRATEGIES)


def test_the_crd_describes_every_strategy() -> None:
    text = (MANIFESTS / "crds" / "rolloutorchestrators.yaml").read_text()
    (description,) = re.findall(r"rolloutStrategy:\n\s+description: (.*)", text)
    for name, strategy in STRATEGIES.items():
        assert f"{name} scales {'up' if strategy.goes_up_first else 'down'} first" in description
