"""Event messages: an RO before and after, and the Events between."""

from datetime import timedelta
from typing import Any

import pytest

from tests.cluster.fake_clock import START
from tests.loop.world import entry
from webhook.api import RolloutOrchestrator, TargetRevision
from webhook.loop.event_messages import (
    EventMessage,
    events_of_spec,
    events_of_status,
    seconds_until_waiting,
)
from webhook.strategies import Strategy, strategy_named
from webhook.strategies.stage import Stage
from webhook.strategies.waiting import waiting_for

UP_FIRST = strategy_named("availability")
TIME = "2026-01-02T03:04:05Z"
STAGE = [entry("a", 75, direction="down", targetReplicas=3), entry("b", 25, direction="up", targetReplicas=1)]
SHIFTED = [entry("a", 65, direction="down", targetReplicas=3), entry("b", 35, direction="up", targetReplicas=1)]


def ro(
    stage: list[Any],
    recorded: list[Any] | None = None,
    conditions: dict[str, str] | None = None,
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


def events(
    before: RolloutOrchestrator, after: RolloutOrchestrator, running: dict[str, int | None] | None = None
) -> list[EventMessage]:
    return events_of_status(before, after, Stage.of(after.spec), UP_FIRST, running or {})


def waits_for(ro: RolloutOrchestrator, strategy: Strategy = UP_FIRST) -> str | None:
    return waiting_for(ro, Stage.of(ro.spec), strategy)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            [],
            STAGE,
            [("Normal", "StageStarted", "a 75% of traffic, to run 3 replicas; b 25% of traffic, to run 1 replica")],
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
                    (
                        f"the stage was not done by {TIME}: now a 65% of traffic, to run 3 replicas;"
                        " b 35% of traffic, to run 1 replica"
                    ),
                )
            ],
        ),
        (
            STAGE,
            [entry("a", direction="down", targetReplicas=0), entry("b", 100, direction="up")],
            [("Normal", "StageStarted", "a no traffic, to run 0 replicas; b 100% of traffic")],
        ),
    ],
)
def test_events_of_the_spec(before: list[Any], after: list[Any], expected: list[Any]) -> None:
    assert events_of_spec(ro(before), ro(after)) == expected


def test_the_next_stage_may_have_the_targets_of_the_one_that_is_done() -> None:
    (event,) = events_of_spec(ro(STAGE, conditions={"StageReady": "True"}), ro(SHIFTED))
    assert event.reason == "StageStarted"


UP, DOWN = "StageScaleUpReady", "StageScaleDownReady"


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ({}, {UP: "Unknown", "StageReady": "Unknown"}, []),
        ({UP: "Unknown", "StageReady": "Unknown"}, {UP: "Unknown", "StageReady": "Unknown"}, []),
        (
            {UP: "Unknown", "StageReady": "Unknown"},
            {UP: "True", DOWN: "Unknown", "StageReady": "Unknown"},
            ["ScaledUp"],
        ),
        (
            {UP: "True", DOWN: "Unknown", "StageReady": "Unknown", "LastStageReady": "Unknown"},
            {UP: "True", DOWN: "True", "StageReady": "True", "LastStageReady": "True"},
            ["RolloutComplete"],
        ),
        ({}, {UP: "True", DOWN: "True", "StageReady": "True", "LastStageReady": "True"}, []),
        ({"StageReady": "Unknown"}, {"StageReady": "False"}, []),
    ],
    ids=["begins to wait", "waits on", "up", "done", "found done", "failed"],
)
def test_events_of_the_status(before: dict[str, str], after: dict[str, str], reasons: list[str]) -> None:
    assert [one.reason for one in events(ro(STAGE, None, before), ro(STAGE, STAGE, after))] == reasons


@pytest.mark.parametrize(
    ("running", "messages"),
    [
        (
            {"a": 3, "b": 0},
            [
                "up: b runs 0 replicas",
                "a 75% of traffic, 3 replicas; b 25% of traffic, 0 replicas",
            ],
        ),
        ({"b": 1}, ["up: b runs 1 replica", "a 75% of traffic; b 25% of traffic, 1 replica"]),
    ],
    ids=["not what was wanted", "not known"],
)
def test_events_say_the_replicas_that_run_and_not_those_that_were_wanted(
    running: dict[str, int | None], messages: list[str]
) -> None:
    before = ro(STAGE, None, {UP: "Unknown", DOWN: "Unknown", "StageReady": "Unknown"})
    after = ro(STAGE, STAGE, {UP: "True", DOWN: "True", "StageReady": "True"})
    assert [one.message for one in events(before, after, running)] == messages


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
    assert waits_for(ro(STAGE, None, conditions)) == words


@pytest.mark.parametrize(("strategy", "step"), [("availability", "up"), ("ResourceUtil", "down")])
def test_of_two_steps_the_first_of_the_strategy_is_waited_for(strategy: str, step: str) -> None:
    waiting = waits_for(
        ro(STAGE, None, {UP: "Unknown", DOWN: "Unknown", "StageReady": "Unknown"}), strategy_named(strategy)
    )
    assert waiting is not None
    assert waiting.startswith(f"scaling {step}: ")


def test_when_nothing_goes_down_what_the_rollout_started_from_does() -> None:
    waits = ro([entry("b", 100)], None, {UP: "True", DOWN: "Unknown", "StageReady": "Unknown"})
    waits.spec.initial_revisions = [TargetRevision("a", 100), TargetRevision("b", 0)]
    assert waits_for(waits) == "scaling down: waiting for a to run 0 replicas"
    done = waits.copy()
    done.status.conditions.mark_true(DOWN, START)
    assert [one.message for one in events(waits, done, {"a": 0})] == ["down: a runs 0 replicas"]


def test_what_a_step_waits_for_is_said_in_the_words_of_its_condition() -> None:
    waits = ro(STAGE, None, {UP: "Unknown", "StageReady": "Unknown"})
    waits.mark_stage_in_progress(UP, START, "b runs no replica yet (PodAutoscaler: Queued)")
    assert waits_for(waits) == (
        "scaling up: waiting for b to run 1 replica: b runs no replica yet (PodAutoscaler: Queued)"
    )


@pytest.mark.parametrize(
    ("up_since", "down_since", "seconds"),
    [(0, 1, 10.0), (4, 5, 6.0), (10, 11, 0.0), (60, 61, 0.0), (3, 60, 7.0), (None, None, 0.0)],
    ids=["just begun", "4 s", "10 s", "a minute", "the step before ended 3 s ago", "times unknown"],
)
def test_a_wait_is_worth_an_event_after_ten_seconds(
    up_since: int | None, down_since: int | None, seconds: float
) -> None:
    waits = ro(STAGE, None, {UP: "True", DOWN: "Unknown", "StageReady": "Unknown"})
    now = START + timedelta(minutes=2)
    for type_, since in ((DOWN, down_since), (UP, up_since)):
        if since is not None:
            waits.status.conditions.mark_unknown(type_, "Why", "because", now - timedelta(seconds=since))
    assert seconds_until_waiting(waits, UP_FIRST, now) == seconds
