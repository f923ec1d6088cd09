"""The corpus: the findings for a person who creates these objects."""

import pytest

from tests.admission.reviews import ids, verdict_on
from tests.corpus.files import FILES, Row, path_of, read, text_of

ROWS = [pytest.param(row, id=f"{kind}: {row.name}") for kind in FILES for row in read(kind)]


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize("row", ROWS)
def test_a_person_gets_the_findings_of_the_corpus(row: Row, path: str) -> None:
    verdict = verdict_on(row.object, path=path)
    warned = (finding for finding, effect in verdict.findings if effect != "denied")
    assert (sorted(set(ids(verdict.denials))), sorted(set(ids(warned)))) == (row.findings, row.warnings)
    assert verdict.allowed == (not row.findings)


@pytest.mark.parametrize("kind", FILES)
def test_the_files_are_what_the_variants_give(kind: str) -> None:
    assert path_of(kind).read_text(encoding="utf-8") == text_of(kind), "run python -m tests.corpus"


@pytest.mark.parametrize("kind", FILES)
def test_names_are_unique(kind: str) -> None:
    names = [row.name for row in read(kind)]
    assert len(names) == len(set(names))
