"""The table of rules: it agrees with findings, with the manifests and with the documents, and its examples are true."""

import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.admission.reviews import LOOP, PERSON, Wire, complete_spa, entry, ids, ro, stored_ro, verdict_on
from tests.admission.reviews import cache as rollout_cache
from tests.admission.rules.documents import REPOSITORY, documents, with_table
from tests.corpus.files import FILES, read
from webhook.admission import Finding
from webhook.admission.rules import RULE_IDS, RULES, Place, Rule
from webhook.api.kinds import SERVICE_LABEL

_ID: Final = re.compile(r"\[((?:SPA|RO)\d{3})\]")
_UNBOUNDED: Final = stored_ro(targetRevisions=[entry("hello-00002", 100)])
_BOUNDED: Final = stored_ro()


def rules_in(place: Place) -> set[str]:
    return {rule.id for rule in RULES if place in rule.places}


def named_in(folder: str) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "manifests" / folder).glob("*.yaml"))
    return set(chain.from_iterable(map(_ID.findall, texts)))


@cache
def findings_in_corpus() -> tuple[Finding, ...]:
    """What the webhook finds in every object of the corpus, and in the bad example of every rule."""
    objects = [row.object for kind in FILES for row in read(kind)]
    verdicts = [verdict_on(obj) for obj in objects] + [verdict_on(**example(rule, rule.bad)) for rule in RULES]
    return tuple(finding for verdict in verdicts for finding, _ in verdict.findings)


def example(rule: Rule, text: str) -> dict[str, Any]:
    """The call with the object of an example; the rollout that SPAs belong to bounds hello-00002 by 2 and 10."""
    given = yaml.safe_load(text)
    if rule.id.startswith("RO"):
        obj: Wire = ro({"rolloutStrategy": "availability", **given.get("spec", {})}, labels={SERVICE_LABEL: "hello"})
        lookup = None
    else:
        obj = complete_spa(None, None)
        obj["spec"] = given.get("spec", {})
        lookup = rollout_cache(_UNBOUNDED if rule.id == "SPA005" else _BOUNDED)
    obj["metadata"] = {**obj["metadata"], **given.get("metadata", {})}
    return {"obj": obj, "lookup": lookup}


def test_ids_are_unique_and_in_order() -> None:
    assert [*RULE_IDS] == [f"SPA{n:03}" for n in range(1, 10)] + [f"RO{n:03}" for n in range(1, 17)]


def test_a_finding_has_the_severity_of_its_rule_or_warns_where_the_rule_says_so() -> None:
    severities: dict[str, set[str]] = {}
    for finding in findings_in_corpus():
        severities.setdefault(finding.id, set()).add(finding.severity)
    assert severities == {rule.id: {rule.severity, "warn" if rule.warns_for else rule.severity} for rule in RULES}


def test_every_finding_has_a_way_out() -> None:
    assert {finding.text for finding in findings_in_corpus() if "]; " not in finding.body} == set()


def test_the_policies_have_the_rules_that_the_table_places_there() -> None:
    assert named_in("policies") == rules_in("policy")


def test_the_messages_of_the_crds_are_of_rules_that_the_table_places_there() -> None:
    assert named_in("crds") <= rules_in("CRD") | rules_in("part in CRD")


def test_the_schemas_refuse_what_the_table_places_there() -> None:
    denying = [finding for finding in findings_in_corpus() if finding.severity == "deny"]
    refused = {finding.id for finding in denying if finding.schema_path}
    left = {finding.id for finding in denying if not finding.schema_path}
    assert (refused - left, refused & left) == (rules_in("CRD"), rules_in("part in CRD"))


@pytest.mark.parametrize("rule", RULES, ids=RULE_IDS)
def test_a_bad_example_breaks_its_rule(rule: Rule) -> None:
    verdict = verdict_on(**example(rule, rule.bad))
    found = {finding.id: effect for finding, effect in verdict.findings}
    assert found[rule.id] == ("denied" if rule.severity == "deny" else "warned")
    assert ids(verdict.denials) == ([rule.id] if rule.severity == "deny" else [])


@pytest.mark.parametrize("rule", RULES, ids=RULE_IDS)
def test_a_good_example_keeps_every_rule(rule: Rule) -> None:
    # A person who sets a bound at all is warned by SPA008.
    writer = LOOP if rule.id in ("SPA001", "SPA002") else PERSON
    verdict = verdict_on(**example(rule, rule.good), user=writer)
    assert (verdict.findings, verdict.notices) == ((), ())


def test_some_document_shows_the_table() -> None:
    assert documents()


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.name))
def test_a_document_shows_the_present_table(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert with_table(text) == text, "run python -m tests.admission.rules"
