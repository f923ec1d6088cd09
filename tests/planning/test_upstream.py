"""Planning against the model of upstream: on any input it is upstream with the named differences, and nothing else."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planning import invented
from tests.vectors.judgement import judge
from tests.vectors.planning_answers import answer_plan, answer_shift, answer_traffic, answer_update
from tests.vectors.planning_suites import PLAN, SHIFT, SUITES, TARGETS, TRAFFIC
from tests.vectors.upstream_planning import UPSTREAM
from webhook.api import TargetRevision

Json = Any
Row = dict[str, Json]


def updated(row: Row) -> Json:
    return answer_update(row, [TargetRevision.from_dict(entry) for entry in row["finalTargetRevision"]])


FUNCTIONS = {
    "plan_stages": (invented.plan_input, PLAN, answer_plan),
    "shift_traffic_next_stage": (invented.shift_input, SHIFT, answer_shift),
    "route_traffic": (invented.traffic_input, TRAFFIC, answer_traffic),
    "update_initial_final_targets": (invented.update_input, TARGETS, updated),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(max_examples=100, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_any_answer_is_that_of_upstream_with_all_differences_applied(function: str, random: Random) -> None:
    invent, judged, answer = FUNCTIONS[function]
    row = invent(random)
    assert judged.objection(row, answer(row)) is None, row


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.stem in FUNCTIONS], ids=lambda suite: suite.stem)
@settings(max_examples=100, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_the_runner_finds_nothing_wrong_on_rows_that_nobody_recorded(suite: Any, random: Random) -> None:
    invent, judged, _ = FUNCTIONS[suite.stem]
    row = invent(random)
    judgement = judge(suite, {"id": "invented", "input": row, "expected": judged.model(row, UPSTREAM)})
    assert judgement.wrong is None, judgement.wrong
