"""How our planning answers the recorded rows: the input of a row in, an answer in the form of its result out."""

from datetime import UTC, datetime
from typing import Any

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
    """What is compared of an error; ``field`` only where a field is to blame."""
    fields = {"raised": type(error).__name__}
    return {**fields, "field": error.field} if isinstance(error, InvalidRollout) else fields


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


def recorded_part(answer: Json) -> Json:
    """What rows record of an answer: neither which error it is nor the messages to people."""
    return {key: value for key, value in answer.items() if key not in ("raised", "field", "notes")}
