"""Whole rollouts as upstream carries them out, by the models of its planning and its pass; imports nothing of ours."""

from collections.abc import Callable
from dataclasses import fields

from tests.vectors import upstream_pass
from tests.vectors.trace import Planner, Row, Trace
from tests.vectors.upstream_planning import UPSTREAM, plan, put
from tests.vectors.upstream_targets import update

PLAN_RULES = (
    "no-panic",
    "failed-stays",
    "strategy-spelling",
    "stated-strategy",
    "ratio-range",
    "down-never-up",
    "same-revision",
    "rollback-found",
    "tag-entries",
)


def upstream_planner() -> Planner:
    return Planner(
        plan=lambda given, tick: _spec(plan(given)),
        update=lambda given, final: _updated(given, final),
        carry=_carry,
    )


def _spec(answer: Row) -> Row | None:
    return None if answer.get("error") or "panic" in answer else dict(answer["spec"])


def _updated(given: Row, final: list[Row]) -> Row:
    spec: Row = update(given, final)["spec"]
    return spec


def _carry(given: Row, tick: int) -> tuple[bool, Row, list[Row]]:
    run = upstream_pass.run_of(given, upstream_pass.UPSTREAM, wrapped=True)
    before = {condition["type"]: condition for condition in given["ro"].get("status", {}).get("conditions", [])}
    conditions = [_timed(condition, before.get(kind), tick) for kind, condition in run.conditions.by_type.items()]
    status = put(run.status, conditions=conditions, stageRevisionStatus=run.recorded)
    return run.error, status, list(run.spas.values())


def _timed(condition: Row, before: Row | None, tick: int) -> Row:
    """A condition with a time that later ticks are later than; an unchanged one keeps its own."""
    if before is not None and put(condition, lastTransitionTime=None) == put(before, lastTransitionTime=None):
        return before
    mark = str(condition["lastTransitionTime"]).rpartition("-")[2]
    return {**condition, "lastTransitionTime": f"{tick:04d}-{mark}"}


class UpstreamTrace:
    """The trace that upstream gives, the differences that hold on it, and the first tick at which one does."""

    def __init__(self, given: Row) -> None:
        self.first_met: int | None = None
        self.met: frozenset[str] = frozenset()
        self.trace = Trace(given, upstream_planner(), self._look).run()

    def _look(self, tick: int, call: str, row: Row) -> None:
        met = _LOOKS[call](row)
        if met and self.first_met is None:
            self.first_met = tick
        self.met |= met


def _met_by_plan(row: Row) -> frozenset[str]:
    usual = plan(row)
    return frozenset(name for name in PLAN_RULES if plan(row, frozenset({name})) != usual)


def _met_by_update(row: Row) -> frozenset[str]:
    return frozenset({"no-panic"} if "panic" in update(row, row["finalTargetRevision"], UPSTREAM) else ())


_LOOKS: dict[str, Callable[[Row], frozenset[str]]] = {
    "plan": _met_by_plan,
    "update": _met_by_update,
    "pass": lambda row: upstream_pass.differences_met(row, wrapped=True),
}

ALL_RULES = (*PLAN_RULES, *(rule.name.replace("_", "-") for rule in fields(upstream_pass.OURS)))
