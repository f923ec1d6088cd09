"""Every recorded row, by the same judgement as the runner's."""

from collections import defaultdict
from pathlib import Path

import pytest

from tests.vectors.catalogue import stem_of, suites
from tests.vectors.ceilings import committed_ceilings
from tests.vectors.rows import RECORDED, files_in, name_of
from tests.vectors.runner import ceiling_breaches, judge_file


def recorded() -> dict[str, list[Path]]:
    """The committed files by suite; those of an unknown name under their own."""
    by_stem = defaultdict(list)
    for path in files_in(RECORDED):
        by_stem[stem_of(name_of(path)) or name_of(path)].append(path)
    return by_stem


def test_every_suite_has_recorded_rows_and_every_file_a_suite() -> None:
    assert set(recorded()) == set(suites())


@pytest.mark.parametrize("stem", sorted(recorded()))
def test_recorded_rows_are_the_same_or_deliberate_within_the_ceilings(stem: str) -> None:
    results = [judge_file(path) for path in recorded()[stem]]
    assert not any(result.wrong for result in results), "\n".join(result.report() for result in results)
    assert ceiling_breaches(results, committed_ceilings()) == []


def test_every_difference_of_every_suite_has_a_ceiling() -> None:
    named = {stem: {difference.name for difference in suite.differences} for stem, suite in suites().items()}
    assert {stem: set(shares) for stem, shares in committed_ceilings().items()} == {
        stem: names for stem, names in named.items() if names
    }
