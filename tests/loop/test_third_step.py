"""A step that is named only by the table and its own file: conditions, waits and Events take it from its class."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from tests.objects import entry, rollout
from tests.vectors.fake_cluster import NOON
from webhook.api import RolloutOrchestrator
from webhook.loop.event_messages import EventMessage, events_of_status, seconds_until_waiting
from webhook.loop.stage_status import explain, record_outcome
from webhook.strategies import ObservedRevision, ScaleDownStep, ScaleUpStep, strategy_named
from webhook.strategies.stage import Stage
from webhook.strategies.waiting import pending_step, waiting_for

UP, DOWN = "hello-00002", "hello-00001"
STAGE = [entry(DOWN, 60, "down", targetReplicas=3), entry(UP, 40, "up", targetReplicas=2)]
PENDING = {"StageScaleUpReady": "True", "StageMirrored": "Unknown", "StageReady": "Unknown"}


class MirrorStep(ScaleUpStep):
    """Mirrors traffic between up and down."""

    condition: ClassVar[str] = "StageMirrored"
    reason: ClassVar[str] = "Mirrored"

    @classmethod
    def waits_for(cls, stage: Stage) -> str | None:
        return f"mirroring: waiting for {', '.join(stage.up)} to answer"

    @classmethod
    def has_reached(cls, stage: Stage, running: Mapping[str, int | None]) -> str:
        return f"mirrored to {', '.join(stage.up)}"

    @classmethod
    def obstacles(cls, stage: Stage, seen: Mapping[str, ObservedRevision]) -> list[str]:
        return ["the mirror is cold"]


MIRRORED = replace(strategy_named("availability"), name="mirrored", steps=(ScaleUpStep, MirrorStep, ScaleDownStep))


def waits(ro: RolloutOrchestrator) -> str | None:
    return waiting_for(ro, Stage.of(ro.spec), MIRRORED)


def test_it_is_waited_for_in_its_own_words() -> None:
    ro = rollout(STAGE, conditions=PENDING)
    assert pending_step(ro, MIRRORED) is MirrorStep
    assert waits(ro) == f"mirroring: waiting for {UP} to answer"
    assert pending_step(ro, strategy_named("availability")) is None


def test_what_keeps_it_stands_in_its_condition_and_in_that_of_the_stage() -> None:
    ro = rollout(STAGE, conditions=PENDING)
    explain(ro, Stage.of(ro.spec), MIRRORED, {}, None, NOON)
    messages = {one.type: one.message for one in ro.status.conditions}
    assert messages["StageMirrored"] == messages["StageReady"] == "Rolling out a new stage: the mirror is cold."
    assert messages["StageScaleUpReady"] == ""
    assert waits(ro) == f"mirroring: waiting for {UP} to answer: the mirror is cold"


def test_its_time_counts_for_how_long_the_stage_has_waited() -> None:
    ro = rollout(STAGE, conditions=PENDING)
    ro.status.conditions.mark_unknown("StageMirrored", "Why", "because", NOON)
    assert seconds_until_waiting(ro, MIRRORED, NOON + timedelta(seconds=4)) == 6.0


def test_an_event_of_its_own_reports_that_it_is_done() -> None:
    before, after = (rollout(STAGE, conditions={**PENDING, "StageMirrored": status}) for status in ("Unknown", "True"))
    events = events_of_status(before, after, Stage.of(after.spec), MIRRORED, {})
    assert events == [EventMessage("Normal", "Mirrored", f"mirrored to {UP}")]


def test_its_condition_follows_those_of_the_other_steps() -> None:
    ro = rollout(STAGE, target=[entry(UP, 100)], conditions={"StageReady": "True", "LastStageReady": "Unknown"})
    record_outcome(ro, Stage.of(ro.spec), MIRRORED, NOON)
    begun = [ro.status.conditions.status(step.condition) for step in MIRRORED.steps]
    assert begun == ["Unknown", "Unknown", "Unknown"]
    done = rollout(STAGE, target=[entry(UP, 100)], conditions=dict.fromkeys(("Ready", "StageReady"), "True"))
    record_outcome(done, Stage.of(done.spec), MIRRORED, NOON)
    assert [done.status.conditions.status(step.condition) for step in MIRRORED.steps] == ["True", "True", "True"]


def test_an_optional_condition_is_not_added_where_it_is_not_there() -> None:
    done = rollout(STAGE, target=[entry(UP, 100)], conditions=dict.fromkeys(("Ready", "StageReady"), "True"))
    record_outcome(done, Stage.of(done.spec), strategy_named("availability"), NOON)
    assert done.status.conditions.get("StageTrafficReady") is None
    held = rollout(STAGE, target=[entry(UP, 100)], conditions={"StageReady": "True", "StageTrafficReady": "True"})
    record_outcome(held, Stage.of(held.spec), strategy_named("availability"), NOON)
    assert held.status.conditions.is_unknown("StageTrafficReady")


def test_traffic_is_waited_for_by_the_shares_of_the_stage() -> None:
    ro = rollout(STAGE, conditions={"StageScaleUpReady": "True", "StageTrafficReady": "Unknown"})
    assert waiting_for(ro, Stage.of(ro.spec), strategy_named("availability")) == (
        f"moving traffic: waiting for {DOWN} 60% of traffic, {UP} 40% of traffic"
    )
