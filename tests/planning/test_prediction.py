"""What a rollout will do, worked out without a cluster: rows of a rollout, and its stages, peak and end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook.api import RolloutOrchestrator
from webhook.knative.stage_traffic import Scale, floor_of
from webhook.planning import RolloutConfig
from webhook.planning.prediction import Moment, Prediction, Surroundings, Unpredictable, predict

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEN = Surroundings(10)


def rollout(minimum: int | None = 2, maximum: int | None = 10, **status: Any) -> dict[str, Any]:
    bounds = {key: value for key, value in (("minScale", minimum), ("maxScale", maximum)) if value is not None}
    return {
        "metadata": {"namespace": "default", "name": "hello", "uid": "1", "generation": 1},
        "spec": {
            "initialRevisions": [{"revisionName": "old", "percent": 100, "latestRevision": False, **bounds}],
            "targetRevisions": [{"revisionName": "new", "percent": 100, "latestRevision": True, **bounds}],
        },
        "status": status,
    }


def run(wire: Mapping[str, Any], strategy: str, ratio: int, surroundings: Surroundings = TEN) -> Prediction:
    config = RolloutConfig(over_consumption_ratio=ratio, progressive_rollout_strategy=strategy)
    return predict(RolloutOrchestrator.from_dict(wire), config, surroundings, NOW)


def floor(ro: RolloutOrchestrator, revision: str, scales: Mapping[str, int]) -> int:
    return floor_of(ro, revision, {name: Scale(count, count) for name, count in scales.items()})


def held(demand: int) -> Surroundings:
    return Surroundings(demand, is_held=True, at_birth=1, floor=floor)


def stages(prediction: Prediction) -> list[tuple[int | None, int | None, int | None, int | None]]:
    """Of each stage: percent and target of the old revision, then of the new one."""
    return [
        (old.percent, old.target_replicas, new.percent, new.target_replicas)
        for old, new in (stage.entries for stage in prediction.stages)
    ]


def replicas(moments: "tuple[Moment, ...]") -> list[tuple[str, int, int]]:
    return [(moment.step, moment.replicas["old"], moment.replicas["new"]) for moment in moments]


HALVES = [(50, 5, 50, 5), (None, 0, 100, 10)]
FIFTHS = [(80, 8, 20, 2), (60, 6, 40, 4), (40, 4, 60, 6), (20, 2, 80, 8), (None, 0, 100, 10)]


@pytest.mark.parametrize(
    ("strategy", "ratio", "expected", "peak"),
    [
        pytest.param("availability", 20, FIFTHS, 12, id="up before down: two more for a while"),
        pytest.param("resourceutil", 20, FIFTHS, 10, id="down before up: never more than before"),
        pytest.param("availability", 50, HALVES, 15, id="a larger ratio: fewer stages, a higher peak"),
        pytest.param("resourceutil", 50, HALVES, 10, id="a larger ratio: fewer stages, the same peak"),
    ],
)
def test_stages_and_peak(strategy: str, ratio: int, expected: Any, peak: int) -> None:
    prediction = run(rollout(), strategy, ratio)

    assert (stages(prediction), prediction.peak) == (expected, peak)
    assert prediction.bounds == {"old": (0, 1), "new": (2, 10)}
    assert prediction.end.replicas == {"old": 0, "new": 10}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        pytest.param("availability", [("up", 10, 5), ("down", 5, 5)], id="up before down"),
        # Traffic has moved already, and a stage maximum of 0 takes the limit away.
        pytest.param("resourceutil", [("down", 5, 5), ("up", 5, 5)], id="down before up"),
    ],
)
def test_the_steps_of_a_stage(strategy: str, expected: Any) -> None:
    prediction = run(rollout(), strategy, 50)

    assert prediction.start == Moment("start", {"old": 100}, {"old": 10, "new": 0})
    assert replicas(prediction.stages[0].moments) == expected
    assert [moment.traffic for moment in prediction.stages[0].moments] == [{"old": 50, "new": 50}] * 2


@dataclass(frozen=True)
class Row:
    strategy: str
    minimum: int | None
    demand: int
    first: list[tuple[str, int, int]]
    peak: int


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            Row("availability", 4, 0, [("birth", 4, 1), ("up", 4, 1), ("traffic", 4, 1), ("down", 3, 1)], peak=5),
            id="replicas by the minimum, a quarter a stage: five at the peak, where Knative alone runs eight",
        ),
        pytest.param(
            Row("resourceutil", 4, 0, [("birth", 4, 1), ("down", 3, 0), ("up", 3, 1), ("traffic", 3, 1)], peak=5),
            id="down before up: the replica at birth is one more",
        ),
        pytest.param(
            Row("availability", None, 8, [("birth", 8, 1), ("up", 8, 2), ("traffic", 8, 2), ("down", 6, 2)], peak=10),
            id="replicas by traffic: the new revision runs its share before it gets it",
        ),
    ],
)
def test_on_stock_knative_traffic_moves_in_a_step_of_its_own(row: Row) -> None:
    prediction = run(rollout(row.minimum, None), row.strategy, 25, held(row.demand))

    assert replicas(prediction.stages[0].moments) == row.first
    assert prediction.peak == row.peak
    assert [stage.end.traffic["new"] for stage in prediction.stages] == [25, 50, 75, 100]


def test_a_tag_is_another_entry_of_its_revision() -> None:
    tagged = rollout()
    for key, name in (("initialRevisions", "old"), ("targetRevisions", "new")):
        tagged["spec"][key].append({"revisionName": name, "percent": 0, "tag": f"{name}-one"})
    assert run(tagged, "availability", 50) == run(rollout(), "availability", 50)


def test_the_minimum_runs_even_where_the_traffic_needs_less() -> None:
    prediction = run(rollout(4, None), "availability", 50, Surroundings(2))

    assert (prediction.end.replicas, prediction.peak) == ({"old": 0, "new": 4}, 6)


def test_no_replicas_at_all_go_over_in_one_stage() -> None:
    prediction = run(rollout(None, None), "availability", 10, Surroundings(0))

    assert (len(prediction.stages), prediction.peak, prediction.end.replicas) == (1, 0, {"old": 0, "new": 0})


def test_a_revision_without_a_limit_of_its_own_comes_down_with_its_traffic() -> None:
    # Such a revision ignores the maximum of the stage.
    assert stages(run(rollout(None, None), "availability", 50)) == HALVES


def test_a_rollout_on_its_way_is_predicted_from_its_present_stage() -> None:
    present = rollout(
        conditions=[{"type": "StageReady", "status": "Unknown"}],
        stageRevisionStatus=[
            {"revisionName": "old", "percent": 60, "direction": "down", "targetReplicas": 6, "minScale": 2},
            {"revisionName": "new", "percent": 40, "direction": "up", "targetReplicas": 4, "minScale": 2},
        ],
        observedGeneration=1,
    )
    bounds = {"minScale": 2, "maxScale": 10}
    present["spec"]["stageTargetRevisions"] = [
        {"revisionName": "old", "percent": 40, "direction": "down", "targetReplicas": 4, **bounds},
        {"revisionName": "new", "percent": 60, "direction": "up", "targetReplicas": 6, **bounds},
    ]
    now = Surroundings(10, scales={"old": 6, "new": 5}, bounds={"old": (2, 6), "new": (2, 10)})

    prediction = run(present, "availability", 20, now)

    assert stages(prediction) == FIFTHS[2:]
    assert prediction.start.replicas == {"old": 6, "new": 5}
    assert replicas(prediction.stages[0].moments) == [("up", 6, 6), ("down", 4, 6)]


def test_on_stock_knative_a_revision_that_stays_keeps_what_its_share_takes_of_its_minimum() -> None:
    """Its SPA has the bounds of the plan before the edit."""
    present = rollout(4, None, conditions=[{"type": "StageReady", "status": "Unknown"}], observedGeneration=1)
    start = [
        {"revisionName": "old", "percent": 25, "minScale": 4},
        {"revisionName": "middle", "percent": 75, "minScale": 4},
    ]
    present["spec"]["initialRevisions"] = present["status"]["stageRevisionStatus"] = start
    present["spec"]["stageTargetRevisions"] = [
        {"revisionName": "old", "percent": 25, "direction": "stay", "minScale": 4},
        {"revisionName": "middle", "percent": 50, "direction": "down", "targetReplicas": 2, "minScale": 4},
        {"revisionName": "new", "percent": 25, "direction": "up", "targetReplicas": 1, "minScale": 4},
    ]
    bounds = {"old": (2, 2), "middle": (3, 3), "new": (1, None)}
    now = replace(held(4), scales={"old": 1, "middle": 3, "new": 0}, bounds=bounds, traffic={"old": 25, "middle": 75})

    prediction = run(present, "availability", 25, now)

    first = [(one.step, *(one.replicas[name] for name in bounds)) for one in prediction.stages[0].moments]
    assert first == [("up", 1, 3, 1), ("traffic", 1, 3, 1), ("down", 1, 2, 1)]
    assert prediction.peak == 5


def test_a_complete_rollout_has_no_stage_to_come() -> None:
    complete = rollout(stageRevisionStatus=[{"revisionName": "new", "percent": 100}], observedGeneration=1)

    assert run(complete, "availability", 20, Surroundings(10, scales={"new": 10})).stages == ()


def test_a_stage_that_never_gets_ready_is_named() -> None:
    stuck = rollout()
    stuck["spec"]["targetRevisions"][0] |= {"minScale": 9, "maxScale": 4}

    with pytest.raises(Unpredictable, match="hello: stage 1: new never reaches its target"):
        run(stuck, "availability", 50)


def test_a_rollout_without_an_end_is_refused() -> None:
    endless = rollout()
    del endless["spec"]["targetRevisions"][0]["percent"]

    with pytest.raises(Unpredictable, match=r"spec\.targetRevisions\[0\]\.percent"):
        run(endless, "availability", 50)
