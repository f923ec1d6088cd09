"""Laws of the pass, on invented rows."""

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.objects import spa as spa_on_the_wire
from tests.vectors import upstream_pass as upstream
from tests.vectors.invented import rows
from tests.vectors.reconcile_suites import SUITES, equal_but_for_needless_updates, reconciled, world_of
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
    reconciled(world_of(row), ro)
    assert {**ro.to_dict(), "status": None} == {**before, "status": None}


@quick
@given(rows())
def test_the_status_is_to_be_written_when_and_only_when_it_says_something_else(row: Row) -> None:
    ro = RolloutOrchestrator.from_dict(row["ro"])
    before = ro.status.copy()
    result = reconciled(world_of(row), ro)
    assert result.status_changed is not ro.status.equals_except_times(before)
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
        reconciled(world, ro)
    world.requests.clear()
    reconciled(world, ro)
    assert [write for write in world.writes() if "stagepodautoscalers" in write] == []


@quick
@given(rows(api_errors=False), st.booleans(), st.booleans())
def test_with_availability_nothing_is_lowered_while_what_is_to_get_traffic_runs_nothing(
    row: Row, begins: bool, starts: bool
) -> None:
    """But what goes up by itself, and what neither start nor stage names while they name what stays."""
    spec = row["ro"]["spec"] | {"rolloutStrategy": "availability"}
    row["ro"]["spec"] = spec
    conditions = [{"type": "StageReady", "status": "Unknown"}] if begins else []
    row["ro"]["status"]["conditions"] = conditions
    stage, start = spec["stageTargetRevisions"], spec["initialRevisions"]
    names = [entry["revisionName"] for entry in stage]
    assume(len(set(names)) == len(names))
    ups = {entry["revisionName"]: entry for entry in stage if direction(entry) == "up"}
    if starts and ups:
        # For upstream it is ready.
        name, entry = next(iter(ups.items()))
        entry |= {"percent": 100, "minScale": 0, "targetReplicas": 1}
        row["spas"] = [spa for spa in row["spas"] if spa["metadata"]["name"] != name]
        row["spas"].append(spa_on_the_wire(name, desired=1, actual=0))
    world = world_of(row)
    before = dict(world.spas)
    idle = {name for name, entry in ups.items() if entry.get("percent", 0) > 0 and runs_nothing(row, name)}
    assume(idle)
    reconciled(world, RolloutOrchestrator.from_dict(row["ro"]))
    named = {entry["revisionName"] for entry in (*stage, *start)}
    old = {entry["revisionName"] for entry in start} | (named - ups.keys())
    for (namespace, name), spa in before.items():
        is_kept = name in old or not named - ups.keys()
        is_own = spa.metadata.labels["serving.knative.dev/service"] == "hello" or name in named
        after = world.spas.get((namespace, name))
        if not is_kept or not is_own or after is None or (name in ups and not idle - {name}):
            continue
        if name in ups and name not in old:
            continue
        assert not is_lower(after.stage_min_scale, spa.stage_min_scale), (name, row)
        assert not is_lower(after.stage_max_scale or None, spa.stage_max_scale or None), (name, row)


def runs_nothing(row: Row, name: str) -> bool:
    status: Row = next((spa.get("status", {}) for spa in row["spas"] if spa["metadata"]["name"] == name), {})
    desired, actual = status.get("desiredScale"), status.get("actualScale")
    known = row["conditions"].get(name, {}).values()
    never_ran = bool(known) and "True" not in known
    return desired is None or actual is None or (actual == 0 and (desired > 0 or never_ran))


def is_lower(after: int | None, before: int | None) -> bool:
    """Of two bounds, where none is the revision's own, or no limit."""
    return after is not None and (before is None or after < before)


@quick
@given(rows(api_errors=False))
def test_a_failed_rollout_writes_no_bounds(row: Row) -> None:
    row["ro"]["status"]["conditions"] = [{"type": "StageReady", "status": "False"}]
    row["ro"]["metadata"]["generation"] = 1
    world = world_of(row)
    before = world.bounds()
    reconciled(world, RolloutOrchestrator.from_dict(row["ro"]))
    assert {name: bounds for name, bounds in before.items() if name in world.bounds()} == world.bounds()


def direction(entry: Row) -> str:
    return entry.get("direction", "").strip().lower() or "up"
