"""The model of upstream's pass, against what upstream did: a judge that is itself wrong would judge nothing."""

from pathlib import Path
from typing import Any

import pytest

from tests.vectors import upstream_pass
from tests.vectors.runner import read_rows

SAMPLES = Path(__file__).parent / "samples"
ROWS = [
    pytest.param(row, stem.endswith("wrapped"), id=row["id"])
    for stem in ("rollout_reconcile", "rollout_reconcile_wrapped")
    for row in read_rows(SAMPLES / f"{stem}.jsonl")
]


@pytest.mark.parametrize(("row", "wrapped"), ROWS)
def test_without_a_rule_the_model_answers_as_upstream_did(row: dict[str, Any], wrapped: bool) -> None:
    answer = upstream_pass.answer(row["input"], upstream_pass.UPSTREAM, wrapped)
    if "actions" not in row["expected"]:
        answer.pop("actions", None)
    assert answer == row["expected"]


@pytest.mark.parametrize(("row", "wrapped"), ROWS)
def test_a_row_that_meets_no_difference_is_answered_alike_with_every_rule(row: dict[str, Any], wrapped: bool) -> None:
    loose = {"updatedSPAs", "actions"}
    if upstream_pass.differences_met(row["input"], wrapped):
        return
    answer = upstream_pass.answer(row["input"], upstream_pass.OURS, wrapped)
    assert {key: answer[key] for key in answer.keys() - loose} == {
        key: row["expected"][key] for key in row["expected"].keys() - loose
    }
