"""The suites of planning: where we differ from upstream on purpose, and what is promised there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.vectors.comparison import first_difference
from tests.vectors.planning_answers import (
    answer_bounds,
    answer_config,
    answer_plan,
    answer_shift,
    answer_targets,
    answer_traffic,
    recorded_part,
)
from tests.vectors.suite import Difference, Suite, Vector
from tests.vectors.upstream_planning import UPSTREAM, Rules, has_failed, plan, words
from tests.vectors.upstream_shift import shift
from tests.vectors.upstream_targets import update
from tests.vectors.upstream_traffic import traffic

Json = Any
Row = dict[str, Json]
Model = Callable[[Row, Rules], Json]


def same_outcome(expected: Json, answer: Json) -> bool:
    return bool(expected == recorded_part(answer))


def targets_model(given: Row, rules: Rules) -> Json:
    """The model of the one part of a row in which we differ; the lists themselves are upstream's."""
    return update(given, given["finalTargetRevision"], rules)


def _lookup(document: Json, field: str) -> tuple[bool, Json]:
    """Whether a path such as ``spec.targetRevisions[0].percent`` is there, and what stands there."""
    for part in field.replace("[", ".[").split("."):
        if part.startswith("["):
            index = int(part[1:-1])
            if not isinstance(document, list) or index >= len(document):
                return False, None
            document = document[index]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            return False, None
    return True, document


def _is_to_blame(ro: Json, field: str) -> bool:
    """Whether a field that an InvalidRollout names is really missing, or is a stage in which nothing goes up."""
    there, value = _lookup(ro, field)
    if there:
        directions = (
            [entry.get("direction", "").strip().lower() for entry in value] if isinstance(value, list) else [""]
        )
        return field == "spec.stageTargetRevisions" and not {"", "up"} & set(directions)
    parent, _, _ = field.rpartition(".")
    return _lookup(ro, parent)[0] or parent == "spec"


def _objection(model: Json, answer: Json, ro: Json) -> str | None:
    """The difference between an answer and the model with every difference applied."""
    if "raised" in model:
        if answer.get("raised") != model["raised"]:
            return f"this must be {model['raised']}, not {answer.get('raised', 'an answer')}"
        if "field" in answer and not _is_to_blame(ro, answer["field"]):
            return f"{answer['field']} is not to blame"
        return None
    return first_difference(model, recorded_part(answer))


@dataclass(frozen=True)
class Rule:
    """A difference of one suite: it holds where its condition does and the model answers otherwise because of it."""

    name: str
    condition: Callable[[Row], bool] = lambda _: True


@dataclass(frozen=True)
class Judged:
    """What one suite is judged by: the model, our differences from it, its input, the part of an answer, the RO."""

    model: Model
    rules: tuple[Rule, ...]
    given: Callable[[Vector], Row] = lambda vector: vector.input
    part: Callable[[Json], Json] = lambda answer: answer
    ro: Callable[[Row], Json] = lambda given: given["ro"]

    @property
    def everything(self) -> Rules:
        return frozenset(rule.name for rule in self.rules)

    def differences(self) -> tuple[Difference, ...]:
        return tuple(Difference(rule.name, self._holds(rule), self._property(rule)) for rule in self.rules)

    def objection(self, given: Row, answer: Json) -> str | None:
        """Where an answer is unlike the model with every difference applied."""
        return _objection(self.model(given, self.everything), answer, self.ro(given))

    def met(self, given: Row) -> frozenset[str]:
        """The differences that decide something on this input: without one of them the answer would be another.

        Where two would each be enough, so that neither decides, those count that change upstream's answer alone.
        """
        model, everything = self.model, self.everything
        ours, usual = model(given, everything), model(given, UPSTREAM)
        names = [rule.name for rule in self.rules if rule.condition(given)]
        decisive = frozenset(name for name in names if model(given, everything - {name}) != ours)
        return decisive or frozenset(name for name in names if model(given, frozenset({name})) != usual)

    def _holds(self, rule: Rule) -> Callable[[Vector], bool]:
        return lambda vector: rule.name in self.met(self.given(vector))

    def _property(self, rule: Rule) -> Callable[[Vector, Json], str | None]:
        def objection(vector: Vector, answer: Json) -> str | None:
            if rule.name == "ratio-range" and "raised" not in answer and "RatioHeld" not in answer["notes"]:
                return "no note says that the ratio was held"
            given = self.given(vector)
            if self.model(given, UPSTREAM) != self.part(vector.expected):
                return "the model that tells the difference is not upstream on this row"
            return self.objection(given, self.part(answer))

        return objection


def _ratio_is_out_of_range(given: Row) -> bool:
    ratio = given["ratio"] if "ratio" in given else given["config"]["overConsumptionRatio"]
    return not 1 <= ratio <= 100


def _has_no_stage(given: Row) -> bool:
    return not given["ro"].get("spec", {}).get("stageTargetRevisions")


def _sets_a_strategy(given: Row) -> bool:
    annotated, specified, _ = words(given["ro"], given["config"])
    return bool(annotated.strip() or specified.strip())


_STRATEGY_SET = Rule("stated-strategy", _sets_a_strategy)
_SPELLING = Rule("strategy-spelling")
_NO_PANIC = Rule("no-panic")
_RATIO = Rule("ratio-range", _ratio_is_out_of_range)
_TAGS = Rule("tag-entries")

PLAN = Judged(
    plan,
    (
        _NO_PANIC,
        Rule("failed-stays", lambda given: has_failed(given["ro"])),
        _SPELLING,
        _STRATEGY_SET,
        _RATIO,
        Rule("down-never-up"),
        Rule("same-revision"),
        Rule("rollback-found", _has_no_stage),
        _TAGS,
    ),
)
SHIFT = Judged(
    shift,
    (_NO_PANIC, _RATIO, Rule("shift-range"), _TAGS),
    ro=lambda given: {"spec": {"stageTargetRevisions": given["revisionTarget"]}},
)
TARGETS = Judged(
    targets_model,
    (_NO_PANIC, _TAGS),
    given=lambda vector: {**vector.input, "finalTargetRevision": vector.expected["finalTargetRevision"]},
    part=lambda answer: answer["update"],
)
TRAFFIC = Judged(traffic, (_NO_PANIC, _SPELLING, _STRATEGY_SET, _TAGS))

SUITES = (
    Suite("plan_stages", answer_plan, PLAN.differences(), same_outcome),
    Suite("shift_traffic_next_stage", answer_shift, SHIFT.differences(), same_outcome),
    Suite("initial_final_targets", answer_targets, TARGETS.differences()),
    Suite("route_traffic", answer_traffic, TRAFFIC.differences()),
    Suite("rollout_config", answer_config),
    Suite("scale_bounds", answer_bounds),
)
