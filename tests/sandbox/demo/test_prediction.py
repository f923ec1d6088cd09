"""What a rollout will do, worked out without a cluster: rows of a rollout, and its stages, peak and end."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.demo.prediction import Outcome, Share, Unpredictable, differences, predict

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def rollout(strategy: str, ratio: int, minimum: int | None = 2, maximum: int | None = 10) -> dict[str, Any]:
    bounds = {key: value for key, value in (("minScale", minimum), ("maxScale", maximum)) if value is not None}
    return {
        "metadata": {
            "namespace": "default",
            "name": "hello",
            "uid": "1",
            "annotations": {"rollout.knative.dev/over-consumption-ratio": str(ratio)},
        },
        "spec": {
            "rolloutStrategy": strategy,
            "initialRevisions": [{"revisionName": "old", "percent": 100, "latestRevision": False, **bounds}],
            "targetRevisions": [{"revisionName": "new", "percent": 100, "latestRevision": True, **bounds}],
        },
    }


def stage(old: int | None, old_target: int, new: int, new_target: int) -> tuple[Share, Share]:
    return Share("old", old, "down", old_target), Share("new", new, "up", new_target)


HALVES = (stage(50, 5, 50, 5), stage(None, 0, 100, 10))
FIFTHS = (stage(80, 8, 20, 2), stage(60, 6, 40, 4), stage(40, 4, 60, 6), stage(20, 2, 80, 8), stage(None, 0, 100, 10))


@pytest.mark.parametrize(
    ("strategy", "ratio", "stages", "peak"),
    [
        pytest.param("availability", 20, FIFTHS, 12, id="up before down: two more for a while"),
        pytest.param("resourceutil", 20, FIFTHS, 10, id="down before up: never more than before"),
        pytest.param("availability", 50, HALVES, 15, id="a larger ratio: fewer stages, a higher peak"),
        pytest.param("resourceutil", 50, HALVES, 10, id="a larger ratio: fewer stages, the same peak"),
    ],
)
def test_stages_and_peak(strategy: str, ratio: int, stages: tuple[Any, ...], peak: int) -> None:
    assert predict(rollout(strategy, ratio), 10, NOW) == Outcome(
        stages=stages, peak=peak, bounds={"old": (0, 1), "new": (2, 10)}, scales={"old": 0, "new": 10}
    )


def test_a_tag_is_another_entry_of_its_revision() -> None:
    tagged = rollout("availability", 50)
    for key, name in (("initialRevisions", "old"), ("targetRevisions", "new")):
        tagged["spec"][key].append({"revisionName": name, "percent": 0, "tag": f"{name}-one"})
    assert predict(tagged, 10, NOW) == predict(rollout("availability", 50), 10, NOW)


def test_the_minimum_runs_even_where_the_traffic_needs_less() -> None:
    outcome = predict(rollout("availability", 50, minimum=4, maximum=None), 2, NOW)

    assert (outcome.scales, outcome.peak) == ({"old": 0, "new": 4}, 6)


def test_no_replicas_at_all_go_over_in_one_stage() -> None:
    outcome = predict(rollout("availability", 10, minimum=None, maximum=None), 0, NOW)

    assert (len(outcome.stages), outcome.peak, outcome.scales) == (1, 0, {"old": 0, "new": 0})


def test_a_revision_without_a_limit_of_its_own_comes_down_with_its_traffic() -> None:
    # Such a revision ignores the maximum of the stage.
    assert predict(rollout("availability", 50, minimum=None, maximum=None), 10, NOW).stages == HALVES


def test_a_stage_that_never_gets_ready_is_named() -> None:
    held = rollout("availability", 50)
    held["spec"]["targetRevisions"][0] |= {"minScale": 9, "maxScale": 4}

    with pytest.raises(Unpredictable, match="stage 1: new never reaches its target"):
        predict(held, 10, NOW)


def test_a_rollout_without_an_end_is_refused() -> None:
    endless = rollout("availability", 50)
    del endless["spec"]["targetRevisions"][0]["percent"]

    with pytest.raises(Unpredictable, match=r"spec\.targetRevisions\[0\]\.percent"):
        predict(endless, 10, NOW)


SEEN = predict(rollout("availability", 50), 10, NOW)


@pytest.mark.parametrize(
    ("observed", "reasons"),
    [
        pytest.param(SEEN, [], id="as predicted"),
        pytest.param(
            replace(SEEN, stages=SEEN.stages[:1]), ["2 stages were predicted, there were 1"], id="a stage too few"
        ),
        pytest.param(
            replace(SEEN, stages=(stage(40, 5, 60, 5), SEEN.stages[1])),
            [
                (
                    "stage 1 should have been old down 50 % (5 replicas), new up 50 % (5 replicas), "
                    "and was old down 40 % (5 replicas), new up 60 % (5 replicas)"
                )
            ],
            id="another stage",
        ),
        pytest.param(replace(SEEN, peak=16), ["a peak of 15 replicas was predicted, it was 16"], id="a higher peak"),
        pytest.param(
            replace(SEEN, bounds={"old": (0, 1), "new": (0, 10)}),
            ["bounds of SPA new: predicted (2, 10), found (0, 10)"],
            id="other bounds",
        ),
        pytest.param(
            replace(SEEN, bounds={"new": (2, 10)}),
            ["bounds of SPA old: predicted (0, 1), found None"],
            id="an SPA that is gone",
        ),
        pytest.param(
            replace(SEEN, scales={"old": 1, "new": 10}), ["replicas of old: predicted 0, found 1"], id="one still runs"
        ),
    ],
)
def test_differences_from_what_was_observed(observed: Outcome, reasons: list[str]) -> None:
    assert differences(SEEN, observed) == reasons
