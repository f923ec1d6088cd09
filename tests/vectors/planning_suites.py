"""The suites of planning: how to answer their rows, and where we differ from upstream on purpose."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.vectors.comparison import first_difference
from tests.vectors.suite import Difference, Suite, Vector
from tests.vectors.upstream_planning import UPSTREAM, Rules, has_failed, plan, words
from tests.vectors.upstream_shift import shift
from tests.vectors.upstream_targets import update
from tests.vectors.upstream_traffic import traffic
from webhook.api import InvalidRollout, MissingObservation, RolloutOrchestrator, TargetRevision
from webhook.planning import (
    PlanningError,
    RolloutConfig,
    UnreadableSettings,
    final_target_revisions,
    initial_target_revisions,
    plan_stages,
    revision_records,
    rollout_config,
    route_traffic,
    scale_bounds,
    shift_traffic_next_stage,
    update_initial_final_targets,
)

Json = Any
Row = dict[str, Json]
Model = Callable[[Row, Rules], Json]

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def config_of(config: Row) -> RolloutConfig:
    """The settings as rows write them."""
    return RolloutConfig(
        over_consumption_ratio=config["overConsumptionRatio"],
        progressive_rollout_enabled=config["progressiveRolloutEnabled"],
        stage_rollout_timeout_minutes=config["stageRolloutTimeoutMinutes"],
        rollout_duration=config.get("rolloutDuration", "0"),
        progressive_rollout_strategy=config["progressiveRolloutStrategy"],
    )


def entries(revisions: list[TargetRevision]) -> list[Row]:
    return [revision.to_dict() for revision in revisions]


def raised(error: Exception) -> Row:
    """What is told about an error; ``field`` only where a field is to blame."""
    told = {"raised": type(error).__name__}
    return {**told, "field": error.field} if isinstance(error, InvalidRollout) else told


def answer_plan(given: Row) -> Json:
    ro = RolloutOrchestrator.from_dict(given["ro"])
    planned = plan_stages(ro, config_of(given["config"]), given["podAutoscalers"], set(given["spas"]), NOW)
    spec = planned.spec.to_dict()
    time = spec.pop("targetFinishTime", None)
    answer = {
        "error": planned.error is not None,
        "spec": spec,
        "targetFinishTimeSet": time is not None,
        "notes": [note.reason for note in planned.notes],
    }
    return answer if planned.error is None else answer | raised(planned.error)


def answer_shift(given: Row) -> Json:
    stage = [TargetRevision.from_dict(entry) for entry in given["revisionTarget"]]
    try:
        moved = shift_traffic_next_stage(stage, given["ratio"], given["podAutoscalers"], set(given["spas"]))
    except (InvalidRollout, MissingObservation, PlanningError) as error:
        return {"error": True, **raised(error)}
    return {
        "error": False,
        "revisionTarget": entries(moved.revisions),
        "notes": [note.reason for note in moved.notes],
    }


def answer_targets(given: Row) -> Json:
    records = revision_records((revision["name"], revision.get("annotations", {})) for revision in given["revisions"])
    generation = given["configuration"]["metadata"]["generation"]
    final = final_target_revisions(given["service"], generation, records)
    return {
        "revisionRecords": {name: _record(record) for name, record in records.items()},
        "finalTargetRevision": entries(final),
        "initialTargetRevision": entries(
            initial_target_revisions(given["service"], generation, given["route"], records)
        ),
        "update": answer_update(given, final),
    }


def _record(record: Any) -> Row:
    members = {"name": record.name, "minScale": record.min_scale, "maxScale": record.max_scale}
    return {key: value for key, value in members.items() if value is not None}


def answer_update(given: Row, final: list[TargetRevision]) -> Row:
    has_traffic = bool(((given["route"] or {}).get("status") or {}).get("traffic"))
    ro = RolloutOrchestrator.from_dict(given["ro"])
    try:
        spec = update_initial_final_targets(
            ro, final, route_has_traffic=has_traffic, deployments=given["deployments"]
        ).to_dict()
    except InvalidRollout as error:
        return raised(error)
    time = spec.pop("targetFinishTime", None)
    return {"spec": spec, "targetFinishTimeSet": time is not None}


def answer_traffic(given: Row) -> Json:
    try:
        routed = route_traffic(
            given["service"], RolloutOrchestrator.from_dict(given["ro"]), config_of(given["config"]), given["spas"]
        )
    except InvalidRollout as error:
        return raised(error)
    return {"traffic": routed.traffic, "stageRevisionStatus": entries(routed.stage_revision_status)}


def answer_config(given: Row) -> Json:
    sources = ("configMap", "networkConfigMap", "templateAnnotations", "serviceAnnotations")
    try:
        config = rollout_config(*(given.get(source) or {} for source in sources))
    except UnreadableSettings:
        return {"error": True}
    return {
        "error": False,
        "config": {
            "overConsumptionRatio": config.over_consumption_ratio,
            "progressiveRolloutEnabled": config.progressive_rollout_enabled,
            "stageRolloutTimeoutMinutes": config.stage_rollout_timeout_minutes,
            "rolloutDuration": config.rollout_duration,
            "progressiveRolloutStrategy": config.progressive_rollout_strategy,
        },
    }


def answer_bounds(given: Row) -> Json:
    stage = (given.get("spa") or {}).get("spec", {})
    minimum, maximum = scale_bounds(
        given.get("revisionMinScale"),
        given.get("revisionMaxScale"),
        stage.get("stageMinScale"),
        stage.get("stageMaxScale"),
    )
    return {"min": minimum, "max": maximum}


def _told(answer: Json) -> Json:
    """What rows record of an answer: neither which error it is nor what is told to people."""
    return {key: value for key, value in answer.items() if key not in ("raised", "field", "notes")}


def same_outcome(expected: Json, answer: Json) -> bool:
    return bool(expected == _told(answer))


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
    return first_difference(model, _told(answer))


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
                return "nobody is told that the ratio was held"
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


def _states_a_strategy(given: Row) -> bool:
    annotated, stated, _ = words(given["ro"], given["config"])
    return bool(annotated.strip() or stated.strip())


_STATED = Rule("stated-strategy", _states_a_strategy)
_SPELLING = Rule("strategy-spelling")
_NO_PANIC = Rule("no-panic")
_RATIO = Rule("ratio-range", _ratio_is_out_of_range)

PLAN = Judged(
    plan,
    (
        _NO_PANIC,
        Rule("failed-stays", lambda given: has_failed(given["ro"])),
        _SPELLING,
        _STATED,
        _RATIO,
        Rule("down-never-up"),
        Rule("same-revision"),
        Rule("rollback-found", _has_no_stage),
    ),
)
SHIFT = Judged(
    shift,
    (_NO_PANIC, _RATIO, Rule("shift-range")),
    ro=lambda given: {"spec": {"stageTargetRevisions": given["revisionTarget"]}},
)
TARGETS = Judged(
    targets_model,
    (_NO_PANIC,),
    given=lambda vector: {**vector.input, "finalTargetRevision": vector.expected["finalTargetRevision"]},
    part=lambda answer: answer["update"],
)
TRAFFIC = Judged(traffic, (_NO_PANIC, _SPELLING, _STATED))

SUITES = (
    Suite("plan_stages", answer_plan, PLAN.differences(), same_outcome),
    Suite("shift_traffic_next_stage", answer_shift, SHIFT.differences(), same_outcome),
    Suite("initial_final_targets", answer_targets, TARGETS.differences()),
    Suite("route_traffic", answer_traffic, TRAFFIC.differences()),
    Suite("rollout_config", answer_config),
    Suite("scale_bounds", answer_bounds),
)
