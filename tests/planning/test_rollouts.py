"""Invented rollouts in the simulation, and the laws that hold for each of them."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.planning.invented_rollouts import rollout
from tests.vectors.trace import Row, Trace
from tests.vectors.trace_suite import our_planner
from tests.vectors.upstream_trace import upstream_planner

CHANCE = st.randoms(use_true_random=False)


def run(row: Row) -> Trace:
    return Trace(row, our_planner()).run()


def stages(trace: Trace) -> list[list[Row]]:
    return [stage["stageTargetRevisions"] for stage in trace.stages]


@settings(max_examples=40, deadline=None)
@given(random=CHANCE)
def test_a_rollout_under_constant_demand_finishes_here_if_it_finishes_upstream(random: Random) -> None:
    row = rollout(random, modes=("demand",))
    if Trace(row, upstream_planner()).run().finished():
        assert run(row).finished(), row


@settings(max_examples=40, deadline=None)
@given(random=CHANCE)
def test_no_stage_names_a_revision_twice_and_its_percents_add_up_to_100(random: Random) -> None:
    for stage in stages(run(rollout(random))):
        names = [entry["revisionName"] for entry in stage]
        assert len(names) == len(set(names))
        assert sum(entry.get("percent", 0) for entry in stage) == 100


@settings(max_examples=40, deadline=None)
@given(random=CHANCE)
def test_the_revision_going_down_never_has_to_run_more_than_it_runs(random: Random) -> None:
    planned_for: list[Row] = []

    def watch(tick: int, call: str, row: Row) -> None:
        stage = row["ro"]["spec"].get("stageTargetRevisions", [])
        if call == "plan":
            planned_for[:] = [{"stage": stage, "scales": row["podAutoscalers"]}]
        elif call == "pass" and stage != planned_for[0]["stage"]:
            for entry in stage:
                runs = planned_for[0]["scales"][entry["revisionName"]]
                assert entry.get("direction") != "down" or runs == 0 or entry["targetReplicas"] <= runs

    Trace(rollout(random), our_planner(), watch).run()


@settings(max_examples=40, deadline=None)
@given(random=CHANCE)
def test_a_finished_rollout_has_recorded_its_target_with_all_the_traffic(random: Random) -> None:
    row = rollout(random, modes=("demand", "bounds"))
    trace = run(row)
    if trace.finished():
        target = row.get("secondTarget") or row["target"]
        recorded = trace.recorded_part()["stageRevisionStatus"]
        assert [(entry["revisionName"], entry["percent"]) for entry in recorded] == [(target["name"], 100)]
