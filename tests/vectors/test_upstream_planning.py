"""The models of upstream's planning and of its whole rollouts give what was recorded, row by row."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.vectors.rows import recorded_rows
from tests.vectors.upstream_planning import plan
from tests.vectors.upstream_shift import shift
from tests.vectors.upstream_targets import update
from tests.vectors.upstream_trace import UpstreamTrace
from tests.vectors.upstream_traffic import traffic

Json = Any


@pytest.mark.parametrize(
    ("stem", "model"),
    [
        ("plan_stages", plan),
        ("shift_traffic_next_stage", shift),
        ("route_traffic", traffic),
        ("rollout_traces", lambda given: UpstreamTrace(given).trace.recorded_part()),
    ],
)
def test_a_model_without_differences_is_upstream(stem: str, model: Callable[[Json], Json]) -> None:
    for row in recorded_rows(stem):
        assert model(row["input"]) == row["expected"], row["id"]


def test_the_model_of_new_targets_is_upstream() -> None:
    for row in recorded_rows("initial_final_targets"):
        final = row["expected"]["finalTargetRevision"]
        assert update(row["input"], final) == row["expected"]["update"], row["id"]
