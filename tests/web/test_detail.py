"""The page of one rollout: rows of a world, what was observed before, and what is shown."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.diagnosis.worlds import NEW, NOW, OLD, STAGE, START, base, event, pod_autoscaler, ro, route, world
from tests.objects import entry
from webhook.cluster.resource import EVENTS, POD_AUTOSCALERS, ROLLOUT_ORCHESTRATORS, ROUTES
from webhook.diagnosis.snapshot import snapshot_of
from webhook.diagnosis.world import World
from webhook.web.detail import Detail, detail_of
from webhook.web.history import History


def detail(*worlds: World) -> Detail:
    """The page of the last world, after the others were observed."""
    history = History()
    for one in worlds:
        found = snapshot_of(one, "default", "hello")
        assert found is not None
        history.note([found])
    assert found is not None
    return detail_of(worlds[-1], found, history.of(found))


SECOND = [
    entry(OLD, 50, "down", minScale=4, maxScale=10, targetReplicas=2),
    entry(NEW, 50, "up", latestRevision=True, minScale=4, maxScale=10, targetReplicas=2),
]
COMPLETE = {
    "StageReady": "True",
    "LastStageReady": "True",
    "Ready": "True",
    "StageScaleUpReady": "True",
    "StageScaleDownReady": "True",
}


def later(changes: dict[Any, Any], seconds: int = 60) -> World:
    return replace(world(changes), at=NOW + timedelta(seconds=seconds))


def rows(shown: Detail) -> list[tuple[int | None, str, list[str], int]]:
    return [(row.number, row.when, list(row.shares), row.replicas) for row in shown.stages]


def test_the_present_stage_and_those_to_come() -> None:
    assert rows(detail(world())) == [
        (1, "now", ["75 % on 4", "25 % on 0"], 4),
        (2, "next", ["50 % on 2", "50 % on 2"], 5),
        (3, "next", ["25 % on 1", "75 % on 3"], 5),
        (4, "next", ["0 % on 0", "100 % on 4"], 5),
    ]


def test_a_stage_that_is_done_stays_with_its_time() -> None:
    second = later(
        {
            ROLLOUT_ORCHESTRATORS: [ro(spec__stageTargetRevisions=SECOND, status__stageRevisionStatus=STAGE)],
            POD_AUTOSCALERS: [pod_autoscaler(OLD, 3, 3), pod_autoscaler(NEW, 2, 1)],
        }
    )
    shown = detail(world(), second)

    assert [(row.number, row.when) for row in shown.stages] == [(1, "done"), (2, "now"), (3, "next"), (4, "next")]
    assert shown.stages[0].since == NOW
    assert [column.planned for column in shown.chart.columns[:3]] == [False, False, True]
    assert [column.stage for column in shown.chart.columns if column.stage] == [
        "stage 1",
        "stage 2",
        "stage 3",
        "stage 4",
    ]


def test_traffic_is_what_the_route_shows() -> None:
    shown = detail(world({ROUTES: [route({OLD: 100}, hold=NEW)]}))

    assert shown.chart.columns[0].traffic == {OLD: 100}


def test_revisions_of_rollouts_long_done_are_left_out() -> None:
    idle = pod_autoscaler("hello-00000", 0, 0)
    old = {**ro(), "spec": {**ro()["spec"], "initialRevisions": [entry("hello-00000", 0), *START]}}
    shown = detail(world({ROLLOUT_ORCHESTRATORS: [old], POD_AUTOSCALERS: [idle, *base()[POD_AUTOSCALERS]]}))

    assert list(shown.revisions) == list(shown.chart.revisions) == [OLD, NEW]


def test_a_complete_rollout_has_nothing_to_come() -> None:
    reached = [entry(NEW, 100)]
    shown = detail(
        world(
            {
                ROLLOUT_ORCHESTRATORS: [
                    ro(COMPLETE, spec__stageTargetRevisions=reached, status__stageRevisionStatus=reached)
                ]
            }
        )
    )

    assert [row.when for row in shown.stages] == ["done"]
    assert all(not column.planned for column in shown.chart.columns)
    assert shown.commands == [
        "stagegate explain hello -n default",
        "stagegate get hello -n default -w",
        "stagegate plan hello -n default",
    ]


def test_why_the_stages_to_come_are_not_known() -> None:
    targets = [entry(NEW, 100, latestRevision=True, minScale=9, maxScale=4)]
    stage = [STAGE[0], {**STAGE[1], "minScale": 9, "maxScale": 4, "targetReplicas": 9}]
    stuck = ro(spec__targetRevisions=targets, spec__stageTargetRevisions=stage)

    assert "never reaches its target" in detail(world({ROLLOUT_ORCHESTRATORS: [stuck]})).no_forecast


def test_pods_with_what_keeps_them_from_being_ready() -> None:
    shown = {pod.name: (pod.revision, pod.is_ready, pod.says) for pod in detail(world()).pods}

    assert shown[f"{OLD}-pod-0"] == (OLD, True, "Ready")
    assert shown[f"{NEW}-pod-0"] == (NEW, False, "starts (ContainerCreating)")


def test_events_newest_first() -> None:
    events = [
        event("RolloutOrchestrator", "hello", "First", "one", seconds=50),
        event("RolloutOrchestrator", "hello", "Last", "two", seconds=5),
    ]
    shown = detail(world({EVENTS: events})).events

    assert [(one.reason, one.message, one.is_warning) for one in shown] == [
        ("Last", "two", True),
        ("First", "one", True),
    ]


@pytest.mark.parametrize(
    ("conditions", "last"),
    [
        pytest.param({}, 'stagegate abort hello -n default --reason "..."', id="under way"),
        pytest.param(
            {"StageReady": {"status": "False", "reason": "StageRevisionRolloutFailed"}},
            'stagegate abort hello -n default --reason "..."',
            id="failed",
        ),
        pytest.param(
            {"Paused": {"status": "True", "reason": "Paused", "message": "wait"}},
            "stagegate resume hello -n default",
            id="paused",
        ),
    ],
)
def test_commands_to_copy(conditions: dict[str, Any], last: str) -> None:
    shown = detail(world({ROLLOUT_ORCHESTRATORS: [ro(conditions)]}))

    assert shown.commands[0] == "stagegate explain hello -n default"
    assert shown.commands[-1] == last
    assert ("stagegate retry hello -n default" in shown.commands) == (shown.summary.state == "Failed")


def test_the_sentence_for_those_who_cannot_see_the_page_change() -> None:
    says = "hello is Progressing, stage 1 of 4: scaling up: waiting for hello-00002 to run 1 replica"
    assert detail(world()).says == says


def test_history_keeps_what_differs_and_not_without_end() -> None:
    history = History()
    for number in range(100):
        found = snapshot_of(later({POD_AUTOSCALERS: [pod_autoscaler(OLD, 4, number)]}, number), "default", "hello")
        assert found is not None
        history.note([found, found])

    assert found is not None
    moments = history.of(found)
    assert len(moments) == 40
    assert [moment.replicas[OLD] for moment in moments] == list(range(60, 100))
