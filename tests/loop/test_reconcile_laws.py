"""Laws of the pass, on rows that nobody recorded."""

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.vectors import upstream_pass as upstream
from tests.vectors.invented import rows
from tests.vectors.reconcile_suites import SUITES, equal_but_for_needless_updates, reconciler_in, world_of
from tests.vectors.suite import Suite, Vector
from webhook.api import RolloutOrchestrator

Row = dict[str, Any]
quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def suite_for(wrapped: bool) -> Suite:
    stem = "rollout_reconcile_wrapped" if wrapped else "rollout_reconcile"
    return next(suite for suite in SUITES if suite.stem == stem)


@quick
@given(rows(), st.booleans())
def test_a_pass_is_upstreams_or_differs_in_the_named_ways_alone(row: Row, wrapped: bool) -> None:
    suite, expected = suite_for(wrapped), upstream.answer(row, upstream.UPSTREAM, wrapped)
    answer, vector = suite.answer(deepcopy(row)), Vector("invented", row, expected)
    if not equal_but_for_needless_updates(expected, answer):
        held = [difference for difference in suite.differences if difference.holds(vector)]
        assert held
        assert [difference.objection(vector, answer) for difference in held] == [None] * len(held)


@quick
@given(rows())
def test_only_the_status_of_the_ro_is_changed(row: Row) -> None:
    ro = RolloutOrchestrator.from_dict(row["ro"])
    before = ro.to_dict()
    reconciler_in(world_of(row)).reconcile(ro)
    assert {**ro.to_dict(), "status": None} == {**before, "status": None}


@quick
@given(rows())
def test_the_status_is_to_be_written_when_and_only_when_it_says_something_else(row: Row) -> None:
    ro = RolloutOrchestrator.from_dict(row["ro"])
    before = ro.status.copy()
    result = reconciler_in(world_of(row)).reconcile(ro)
    assert result.status_changed is not ro.status.says_the_same_as(before)
    if not result.status_changed:
        assert ro.status.to_dict() == before.to_dict()


@quick
@given(rows(api_errors=False))
def test_in_a_world_that_stands_still_the_writes_come_to_an_end(row: Row) -> None:
    """The first pass may begin a stage, the second may take its second step; no SPA is written after that."""
    stage = row["ro"]["spec"]["stageTargetRevisions"]
    names = {way: {entry["revisionName"] for entry in stage if direction(entry) == way} for way in ("up", "down")}
    assume(not names["up"] & names["down"])
    world, ro = world_of(row), RolloutOrchestrator.from_dict(row["ro"])
    for _ in range(3):
        reconciler_in(world).reconcile(ro)
    world.requests.clear()
    reconciler_in(world).reconcile(ro)
    assert [write for write in world.writes() if "stagepodautoscalers" in write] == []


@quick
@given(rows(api_errors=False))
def test_a_failed_rollout_writes_no_bounds(row: Row) -> None:
    row["ro"]["status"]["conditions"] = [{"type": "StageReady", "status": "False"}]
    row["ro"]["metadata"]["generation"] = 1
    world = world_of(row)
    before = world.bounds()
    reconciler_in(world).reconcile(RolloutOrchestrator.from_dict(row["ro"]))
    assert {name: bounds for name, bounds in before.items() if name in world.bounds()} == world.bounds()


def direction(entry: Row) -> str:
    return entry.get("direction", "").strip().lower() or "up"
