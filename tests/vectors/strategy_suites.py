"""The recorded rows of the strategies' pure functions: bounds, readiness and the questions about a stage."""

from collections.abc import Callable

from tests.vectors import upstream_strategies as upstream
from tests.vectors.suite import Difference, Json, Suite, Vector
from tests.vectors.upstream_entries import together
from webhook.api import InvalidRollout, RolloutOrchestrator, StagePodAutoscaler, TargetRevision
from webhook.strategies import (
    create_base_stage_pod_autoscaler,
    is_stage_scale_down_ready,
    is_stage_scale_up_ready,
    update_spa_for_rev_down,
    update_spa_for_rev_up,
)
from webhook.strategies.stage import is_last_stage_complete, up_and_down, without_idle

Model = Callable[[dict[str, Json]], Json]


def _create(given: dict[str, Json]) -> Json:
    ro, revision = RolloutOrchestrator.from_dict(given["ro"]), TargetRevision.from_dict(given["revision"])
    return {"spa": create_base_stage_pod_autoscaler(ro, revision).to_dict()}


def _update(
    function: Callable[[StagePodAutoscaler, TargetRevision, bool], StagePodAutoscaler],
) -> Callable[[dict[str, Json]], Json]:
    def answer(given: dict[str, Json]) -> Json:
        spa, revision = StagePodAutoscaler.from_dict(given["spa"]), TargetRevision.from_dict(given["revision"])
        try:
            return {"spec": function(spa, revision, given["scaleUpReady"]).spec_dict()}
        except InvalidRollout as invalid:
            return {"invalid": invalid.field}

    return answer


def _ready(function: Callable[[StagePodAutoscaler, TargetRevision], bool]) -> Callable[[dict[str, Json]], Json]:
    def answer(given: dict[str, Json]) -> Json:
        spa, revision = StagePodAutoscaler.from_dict(given["spa"]), TargetRevision.from_dict(given["revision"])
        return {"ready": function(spa, revision)}

    return answer


def _stage(given: dict[str, Json]) -> Json:
    if given["function"] == "lastStageComplete":
        reached, final = _revisions(given, "stageRevisionStatus"), _revisions(given, "finalTargetRevisions")
        try:
            return {"complete": is_last_stage_complete(reached, final)}
        except InvalidRollout as invalid:
            return {"invalid": invalid.field}
    revisions = _revisions(given, "revisions")
    if given["function"] == "removeNonTraffic":
        return {"revisions": [revision.to_dict() for revision in without_idle(revisions)]}
    up, down = up_and_down(revisions)
    return {
        "up": {name: revision.to_dict() for name, revision in up.items()},
        "down": {name: revision.to_dict() for name, revision in down.items()},
        "error": not up,
    }


def _revisions(given: dict[str, Json], key: str) -> list[TargetRevision]:
    return [TargetRevision.from_dict(entry) for entry in given.get(key, [])]


def zero_max(mended: Model) -> Difference:
    """A maximum of 0 is no limit; ``mended`` is what upstream's rules say with the maximum absent."""

    def objection(vector: Vector, answer: Json) -> str | None:
        wanted = mended(vector.input)
        return None if answer == wanted else f"without a maximum the answer is {wanted}"

    return Difference("zero-max", lambda vector: vector.input["revision"].get("maxScale") == 0, objection)


def no_panic(model: Model) -> Difference:
    """Where upstream panics the answer is an InvalidRollout that names what is missing."""

    def missing(vector: Vector) -> str | None:
        try:
            model(vector.input)
        except upstream.Panic as panic:
            return panic.field
        return None

    def objection(vector: Vector, answer: Json) -> str | None:
        wanted = {"invalid": missing(vector)}
        return None if answer == wanted else f"the answer is {wanted}"

    return Difference("no-panic", lambda vector: missing(vector) is not None, objection)


_LISTS = ("revisions", "stageRevisionStatus", "finalTargetRevisions")


def _model_stage(given: dict[str, Json]) -> Json:
    """What upstream answers to a question about a stage; where it panics, what it looks for in vain."""
    revisions, reached, final = (given.get(key, []) for key in _LISTS)
    if given["function"] == "removeNonTraffic":
        return {"revisions": upstream.without_idle(revisions)}
    if given["function"] == "upDown":
        up, down = (upstream.by_direction(revisions, which) for which in ("up", "down"))
        return {"up": up, "down": down, "error": not up}
    try:
        return {"complete": upstream.last_stage_complete(reached, final)}
    except upstream.Panic as panic:
        return {"invalid": panic.field}


def _our_stage(given: dict[str, Json]) -> Json:
    """The same with the entries of a revision as one; what is recorded of a stage keeps them all."""
    if given["function"] == "removeNonTraffic":
        return _model_stage(given)
    return _model_stage({**given, **{key: together(given[key]) for key in _LISTS if key in given}})


def _stage_objection(vector: Vector, answer: Json) -> str | None:
    wanted = _our_stage(vector.input)
    return None if answer == wanted else f"the answer is {wanted}"


def _mended_down(given: dict[str, Json]) -> Json:
    spec = given["spa"].get("spec", {})
    return {"spec": upstream.unlimited_down_spec(spec, given["revision"], given["scaleUpReady"])}


def _mended_ready(rule: Callable[[Json, Json], bool]) -> Model:
    return lambda given: {"ready": rule(given["spa"].get("status", {}), upstream.unlimited(given["revision"]))}


SUITES: tuple[Suite, ...] = (
    Suite("create_base_spa", _create),
    Suite(
        "update_spa_for_rev_up",
        _update(update_spa_for_rev_up),
        (no_panic(lambda given: upstream.up_spec(given["revision"])),),
    ),
    Suite("update_spa_for_rev_down", _update(update_spa_for_rev_down), (zero_max(_mended_down),)),
    Suite("is_stage_scale_up_ready", _ready(is_stage_scale_up_ready), (zero_max(_mended_ready(upstream.up_ready)),)),
    Suite(
        "is_stage_scale_down_ready", _ready(is_stage_scale_down_ready), (zero_max(_mended_ready(upstream.down_ready)),)
    ),
    Suite(
        "stage_helpers",
        _stage,
        (
            Difference("no-panic", lambda vector: "invalid" in _model_stage(vector.input), _stage_objection),
            Difference(
                "tag-entries", lambda vector: _our_stage(vector.input) != _model_stage(vector.input), _stage_objection
            ),
        ),
    ),
)
