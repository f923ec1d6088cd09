"""The model of upstream's pass, against what upstream did: a judge that is itself wrong would judge nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.vectors import upstream_pass
from tests.vectors.rows import recorded_rows

PASSES = pytest.mark.parametrize(
    ("rows", "wrapped"),
    [
        pytest.param(recorded_rows("rollout_reconcile_1", "rollout_reconcile_2"), False, id="the pass"),
        pytest.param(recorded_rows("rollout_reconcile_wrapped"), True, id="the wrapped pass"),
    ],
)


@PASSES
def test_without_a_rule_the_model_answers_as_upstream_did(rows: list[Mapping[str, Any]], wrapped: bool) -> None:
    for row in rows:
        answer = upstream_pass.answer(row["input"], upstream_pass.UPSTREAM, wrapped)
        if "actions" not in row["expected"]:
            answer.pop("actions", None)
        assert answer == row["expected"], row["id"]


@PASSES
def test_a_row_that_meets_no_difference_is_answered_alike_with_every_rule(
    rows: list[Mapping[str, Any]], wrapped: bool
) -> None:
    loose = {"updatedSPAs", "actions"}
    for row in rows:
        if upstream_pass.differences_met(row["input"], wrapped):
            continue
        answer = upstream_pass.answer(row["input"], upstream_pass.OURS, wrapped)
        assert {key: answer[key] for key in answer.keys() - loose} == {
            key: row["expected"][key] for key in row["expected"].keys() - loose
        }, row["id"]
