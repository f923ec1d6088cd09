"""The suite of whole rollouts: our planning and our pass in the simulation, against upstream's trace.

A trace equals upstream's until the first tick at which the condition of a difference holds on it. After that it
finishes if upstream's did (verify-initial excepted), its peak is not higher, and where both finish the last recorded
status is the same but for targetReplicas.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from tests.vectors.comparison import first_difference
from tests.vectors.fake_cluster import NOON, FakeCluster
from tests.vectors.planning_answers import config_of
from tests.vectors.reconcile_suites import reconciled
from tests.vectors.suite import Difference, Suite, Vector
from tests.vectors.trace import Planner, Row, Trace
from tests.vectors.upstream_planning import put
from tests.vectors.upstream_trace import ALL_RULES, UpstreamTrace
from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.planning import plan_stages, update_initial_final_targets

Json = Any


def our_planner() -> Planner:
    return Planner(plan=_plan, update=_update, carry=_carry)


def _plan(given: Row, tick: int) -> Row | None:
    ro, now = RolloutOrchestrator.from_dict(given["ro"]), NOON + timedelta(seconds=tick)
    planned = plan_stages(ro, config_of(given["config"]), given["podAutoscalers"], set(given["spas"]), now)
    return put(planned.spec.to_dict(), targetFinishTime=None) if planned.error is None else None


def _update(given: Row, final: list[Row]) -> Row:
    ro = RolloutOrchestrator.from_dict(given["ro"])
    targets = [TargetRevision.from_dict(entry) for entry in final]
    return update_initial_final_targets(ro, targets, route_has_traffic=True, deployments=given["deployments"]).to_dict()


def _carry(given: Row, tick: int) -> tuple[bool, Row, list[Row]]:
    metadata = given["ro"]["metadata"]
    world = FakeCluster(
        revisions={(metadata["namespace"], metadata["name"]): frozenset(given["revisions"])},
        now=NOON + timedelta(seconds=tick),
    )
    world.add(*given["spas"])
    ro = RolloutOrchestrator.from_dict(given["ro"])
    result = reconciled(world, ro)
    return result.error is not None, ro.status.to_dict(), [spa.to_dict() for spa in world.spas.values()]


def answer_trace(given: Row) -> Json:
    trace = Trace(given, our_planner()).run()
    return {**trace.recorded_part(), "allTicks": trace.log}


def same_trace(expected: Json, answer: Json) -> bool:
    return bool(expected == {key: value for key, value in answer.items() if key != "allTicks"})


def _upstream(vector: Vector) -> UpstreamTrace:
    return _upstream_of(json.dumps(vector.input, sort_keys=True))


@lru_cache(maxsize=4)
def _upstream_of(given: str) -> UpstreamTrace:
    """Several questions are asked about one row in a row."""
    return UpstreamTrace(json.loads(given))


def _holds(name: str) -> Callable[[Vector], bool]:
    return lambda vector: name in _upstream(vector).met


def objection(vector: Vector, answer: Json) -> str | None:
    """What is wrong with a trace that is unlike upstream's."""
    upstream, expected = _upstream(vector), vector.expected
    unlike_model = first_difference(expected, upstream.trace.recorded_part())
    if unlike_model is not None:
        return f"the model of upstream is not upstream here: {unlike_model}"
    until = (upstream.first_met or 1) - 1
    early = first_difference(upstream.trace.log[:until], answer["allTicks"][:until])
    if early is not None:
        return f"before tick {until + 1}, where it first holds, {early}"
    if expected["finished"] and not answer["finished"] and "verify-initial" not in upstream.met:
        return "the rollout must finish"
    if answer["peakReplicas"] > expected["peakReplicas"]:
        return f"the peak must not be above {expected['peakReplicas']}, it is {answer['peakReplicas']}"
    if not (expected["finished"] and answer["finished"]):
        return None
    wanted, got = (_reached(side["stageRevisionStatus"]) for side in (expected, answer))
    return first_difference(wanted, got)


def _reached(revisions: list[Row]) -> list[Row]:
    """A recorded status without targets; no direction is up, and the last stage is written both ways."""
    return [put(revision, targetReplicas=None, direction=revision.get("direction", "up")) for revision in revisions]


SUITES = (
    Suite(
        "rollout_traces",
        answer_trace,
        tuple(Difference(name, _holds(name), objection) for name in sorted(set(ALL_RULES))),
        same_trace,
    ),
)
