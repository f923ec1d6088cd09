"""Laws of the checks over invented texts and over the corpus of the admission tests."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.reviews import verdict_on
from tests.check.runs import report_on
from tests.corpus.files import FILES, read
from webhook.admission.envelope import read_review
from webhook.check.document import documents_of
from webhook.check.formats.github import github
from webhook.check.formats.junit import junit
from webhook.check.formats.lines import text as as_text
from webhook.check.formats.sarif import sarif
from webhook.check.node import Node
from webhook.check.source_text import SourceText, Unreadable, check_printable

SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=12) | st.floats(-1e6, 1e6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
PRINTABLE = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\ufeff\u2028\u2029\x85")
KEYS = st.text(PRINTABLE, min_size=1, max_size=6)
YAML_VALUES = st.recursive(
    st.integers(-(2**40), 2**40) | st.text(PRINTABLE, max_size=80) | st.booleans(),
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(KEYS, inner, min_size=1, max_size=4),
    max_leaves=12,
)


def root_of(text: str, *, is_json: bool = False) -> Node:
    (document,) = documents_of(SourceText(text), is_json=is_json)
    return document.root


@given(value=VALUES, indent=st.sampled_from([None, 0, 2, "\t"]), is_ascii=st.booleans())
def test_the_place_of_every_value_in_json_is_its_text(value: Any, indent: Any, is_ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii).replace("\x7f", "\\u007f")
    try:
        check_printable(text)
    except Unreadable:
        return
    root = root_of(text, is_json=True)
    assert root.value == value
    for _, node in root.parts():
        assert json.loads(text[node.span.start : node.span.end]) == node.value


@given(value=YAML_VALUES, is_flow=st.sampled_from([True, False, None]), width=st.integers(10, 120))
def test_the_place_of_every_scalar_in_yaml_is_its_text(value: Any, is_flow: Any, width: int) -> None:
    text = yaml.safe_dump([value], default_flow_style=is_flow, width=width, allow_unicode=True)
    root = root_of(text)
    for _, node in root.parts():
        if not isinstance(node.value, dict | list):
            assert root_of(text[node.span.start : node.span.end]).value == node.value


@given(text=st.text(max_size=200) | st.text(alphabet="{}[]:,-?&*!|>'\"%@` \n\t#a1<", max_size=60))
def test_any_text_gives_a_report_in_every_format(text: str) -> None:
    for suffix in ("yaml", "json"):
        report = report_on(text.encode(errors="surrogatepass"), suffix=suffix, rendered=True)
        for lines in (as_text(report), as_text(report, width=40), github(report), [junit(report)], [sarif(report)]):
            assert "\x1b" not in "".join(lines)


@given(data=st.binary(max_size=200))
def test_any_bytes_give_a_report(data: bytes) -> None:
    for place in (each.place for each in report_on(data).findings):
        assert min(place.line, place.column, place.end_line, place.end_column) >= 1


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("dumped", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
def test_the_findings_in_the_corpus_are_those_of_the_webhook(kind: str, dumped: Any) -> None:
    for row in read(kind):
        # A structural problem at a field replaces what the webhook says about that field.
        found = report_on(dumped(row.object)).findings
        structural = {each.field for each in found if each.id.startswith("DOC")}
        ours = sorted(
            (each.id, each.field, each.effect, each.problem, each.way_out)
            for each in found
            if each.id[:3] in ("SPA", "RO0")
        )
        # As an API server sends it: numbers beyond 64 bits become floats.
        verdict = verdict_on(read_review(json.dumps(row.object).encode()))
        theirs = sorted(
            (finding.id, finding.field, effect, finding.problem, finding.way_out)
            for finding, effect in verdict.findings
            if finding.field not in structural
        )
        assert ours == theirs, row
