"""Every recorded row, by the same judgement as the runner's."""

from collections import defaultdict
from pathlib import Path

import pytest

from tests.vectors.__main__ import DEFAULT_DIRECTORY
from tests.vectors.catalogue import stem_of, suites
from tests.vectors.ceilings import committed_ceilings
from tests.vectors.runner import ceiling_breaches, tally_file

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.jsonl"))


def recorded() -> dict[str, list[Path]]:
    """The files of the default directory by suite; those of an unknown name under their own."""
    by_stem = defaultdict(list)
    for path in sorted(DEFAULT_DIRECTORY.glob("*.jsonl")):
        by_stem[stem_of(path.stem) or path.stem].append(path)
    return by_stem


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sampled_rows_are_the_same_or_deliberate(path: Path) -> None:
    tally = tally_file(path)
    assert tally.rows >= 10
    assert not tally.wrong, tally.report()


def test_every_suite_has_a_sample_and_every_sample_a_suite() -> None:
    assert {stem_of(path.stem) for path in SAMPLES} == set(suites())


@pytest.mark.parametrize("stem", sorted(recorded()) or ["(none)"])
def test_recorded_rows_are_the_same_or_deliberate_within_the_ceilings(stem: str) -> None:
    paths = recorded()[stem]
    if not paths:
        pytest.skip(f"{DEFAULT_DIRECTORY} is not there: only the sampled rows are judged")
    tallies = [tally_file(path) for path in paths]
    assert not any(tally.wrong for tally in tallies), "\n".join(tally.report() for tally in tallies)
    assert ceiling_breaches(tallies, committed_ceilings()) == []


def test_every_difference_of_every_suite_has_a_ceiling() -> None:
    named = {stem: {difference.name for difference in suite.differences} for stem, suite in suites().items()}
    assert {stem: set(shares) for stem, shares in committed_ceilings().items()} == {
        stem: names for stem, names in named.items() if names
    }
