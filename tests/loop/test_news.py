"""News: an RO before and after, and what people hear."""

from typing import Any

import pytest

from tests.loop.world import entry
from webhook.api import RolloutOrchestrator
from webhook.loop.news import news_of_spec, news_of_status, waiting_for

TIME = "2026-01-02T03:04:05Z"
STAGE = [entry("a", 75, direction="down", targetReplicas=3), entry("b", 25, direction="up", targetReplicas=1)]
SHIFTED = [entry("a", 65, direction="down", targetReplicas=3), entry("b", 35, direction="up", targetReplicas=1)]


def ro(
    stage: list[Any], recorded: list[Any] | None = None, conditions: dict[str, str] | None = None
) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict(
        {
            "spec": {"stageTargetRevisions": stage, "targetFinishTime": TIME},
            "status": {
                "stageRevisionStatus": recorded or [],
                "conditions": [{"type": type_, "status": status} for type_, status in (conditions or {}).items()],
            },
        }
    )


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (
            [],
            STAGE,
            [("Normal", "StageStarted", "a 75% of traffic, 3 replicas; b 25% of traffic, 1 replica")],
        ),
        (STAGE, STAGE, []),
        (STAGE, [], []),
        (
            STAGE,
            SHIFTED,
            [
                (
                    "Normal",
                    "TrafficShifted",
                    f"the stage was not done by {TIME}: now a 65% of traffic, 3 replicas; b 35% of traffic, 1 replica",
                )
            ],
        ),
        (
            STAGE,
            [entry("a", direction="down", targetReplicas=0), entry("b", 100, direction="up")],
            [("Normal", "StageStarted", "a no traffic, 0 replicas; b 100% of traffic")],
        ),
    ],
)
def test_news_of_the_spec(before: list[Any], after: list[Any], news: list[Any]) -> None:
    assert news_of_spec(ro(before), ro(after)) == news


def test_the_next_stage_may_have_the_targets_of_the_one_that_is_done() -> None:
    (news,) = news_of_spec(ro(STAGE, conditions={"StageReady": "True"}), ro(SHIFTED))
    assert news.reason == "StageStarted"


UP, DOWN = "StageScaleUpReady", "StageScaleDownReady"


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ({}, {UP: "Unknown", "StageReady": "Unknown"}, ["Waiting"]),
        ({UP: "Unknown", "StageReady": "Unknown"}, {UP: "Unknown", "StageReady": "Unknown"}, []),
        (
            {UP: "Unknown", "StageReady": "Unknown"},
            {UP: "True", DOWN: "Unknown", "StageReady": "Unknown"},
            ["ScaledUp", "Waiting"],
        ),
        (
            {UP: "True", DOWN: "Unknown", "StageReady": "Unknown", "LastStageReady": "Unknown"},
            {UP: "True", DOWN: "True", "StageReady": "True", "LastStageReady": "True"},
            ["ScaledDown", "StageComplete", "RolloutComplete"],
        ),
        ({}, {UP: "True", DOWN: "True", "StageReady": "True", "LastStageReady": "True"}, []),
        ({"StageReady": "Unknown"}, {"StageReady": "False"}, []),
    ],
    ids=["begins to wait", "waits on", "up", "done", "found done", "failed"],
)
def test_news_of_the_status(before: dict[str, str], after: dict[str, str], reasons: list[str]) -> None:
    assert [one.reason for one in news_of_status(ro(STAGE, None, before), ro(STAGE, STAGE, after))] == reasons


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({UP: "Unknown", "StageReady": "Unknown"}, "scaling up: waiting for b to run 1 replica"),
        ({UP: "True", DOWN: "Unknown", "StageReady": "Unknown"}, "scaling down: waiting for a to run 3 replicas"),
        ({UP: "Unknown", DOWN: "Unknown", "StageReady": "True"}, None),
        ({"StageReady": "Unknown"}, None),
    ],
)
def test_what_a_stage_waits_for(conditions: dict[str, str], words: str | None) -> None:
    assert waiting_for(ro(STAGE, None, conditions)) == words
