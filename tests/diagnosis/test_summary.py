"""Summary: the state of a rollout, its stage, its replicas, what it waits for, and the order of a list."""

from pathlib import Path
from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.worlds import NEW, NOW, OLD, ago, snapshot
from tests.objects import entry
from webhook.api import TargetRevision
from webhook.cluster.resource import (
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    REVISIONS,
    ROLLOUT_ORCHESTRATORS,
    ROUTES,
    STAGE_POD_AUTOSCALERS,
)
from webhook.diagnosis.summary import STATES, RevisionSummary, Summary, in_order, summarise
from webhook.knative.hold import Hold
from webhook.planning.abort import AbortRecord

REFERENCE = Path(__file__).parents[2] / "docs" / "REFERENCE.md"
DONE = {"StageReady": "True", "LastStageReady": "True", "Ready": "True", "StageScaleUpReady": "True"}
FAILED = {"status": "False", "message": "The rollout of the current stage failed with message: no percent."}


def held(new: str) -> str:
    """The hold of a Route for a new revision."""
    return Hold("held", {OLD: 100}, new, "uid-service").to_annotation()


def edited(observed: int) -> dict[str, Any]:
    """The Service at generation 5, of which Knative has observed another or this one."""
    service = worlds.service()
    service["metadata"]["generation"] = 5
    service["status"]["observedGeneration"] = observed
    return service


def summary(ro: dict[str, Any] | None = None, **changes: Any) -> Summary:
    return summarise(snapshot({ROLLOUT_ORCHESTRATORS: [ro or worlds.ro()], **changes.get("world", {})}))


def test_a_stage_under_way() -> None:
    found = summary()
    assert (found.state, found.needs_person, found.strategy) == ("Progressing", False, "availability")
    assert (found.stage, found.stages) == (1, 4)
    assert found.left == 80.0
    assert found.replicas == (4, 4, 0)
    assert [(one.name, one.direction, one.wished, one.wanted, one.running) for one in found.revisions] == [
        (OLD, "down", 75, 3, 4),
        (NEW, "up", 25, 1, 0),
    ]
    assert [one.kind for one in found.revisions[1].problems] == ["starting"]


def test_a_paused_stage_keeps_the_time_that_it_had_left() -> None:
    ro = worlds.ro({"Paused": "True"})
    ro["spec"]["targetFinishTime"] = ago(600)
    ro["status"]["annotations"] = {"stagegate.dev/seconds-left": "70"}
    assert summary(ro).left == 70.0


@pytest.mark.parametrize(
    ("ro", "state"),
    [
        pytest.param(worlds.ro(DONE), "Complete", id="complete"),
        pytest.param(worlds.ro(DONE, metadata__generation=4), "Pending", id="complete for an earlier generation"),
        pytest.param(worlds.ro({"StageReady": FAILED}), "Failed", id="failed"),
        pytest.param(worlds.ro({"StageReady": FAILED}, metadata__generation=4), "Pending", id="a new chance"),
        pytest.param(worlds.ro(metadata__deletionTimestamp=ago(3)), "Deleting", id="being deleted"),
        pytest.param(worlds.ro(spec__stageTargetRevisions=[]), "Pending", id="not planned yet"),
        pytest.param(
            worlds.ro({"StageReady": {"status": "Unknown", "reason": "RevisionShared"}}), "Stuck", id="shared"
        ),
        pytest.param(
            worlds.ro({"StageReady": {"status": "Unknown", "reason": "StageTimedOut"}}), "TimedOut", id="timed out"
        ),
        pytest.param(worlds.ro(spec__targetFinishTime=ago(1)), "TimedOut", id="late, and not said so yet"),
        pytest.param(worlds.ro({"Paused": "True"}), "Paused", id="paused"),
        pytest.param(worlds.ro({"Aborted": {"status": "True", "reason": "Aborted"}}), "Aborting", id="on its way back"),
        pytest.param(
            worlds.ro({"Aborted": {"status": "True", "reason": "AbortComplete"}}), "Aborted", id="back at its start"
        ),
    ],
)
def test_states(ro: dict[str, Any], state: str) -> None:
    assert summary(ro).state == state


@pytest.mark.parametrize(
    ("world", "state"),
    [
        pytest.param({ROUTES: [worlds.route({OLD: 100}, hold=held("hello-00003"))]}, "Pending", id="a newer revision"),
        pytest.param({ROUTES: [worlds.route({NEW: 100}, hold=held(NEW))]}, "Complete", id="the hold is about to end"),
        pytest.param({KNATIVE_SERVICES: [edited(observed=4)]}, "Pending", id="an edit that Knative has not taken up"),
        pytest.param({KNATIVE_SERVICES: [edited(observed=5)]}, "Complete", id="no edit"),
    ],
)
def test_a_rollout_that_is_complete_for_an_earlier_edit_of_its_service_is_pending(world: Any, state: str) -> None:
    assert summary(worlds.ro(DONE), world=world).state == state


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param({"StageReady": FAILED}, "Failed", id="failed"),
        pytest.param({"Aborted": {"status": "True", "reason": "AbortComplete"}}, "Aborted", id="aborted"),
    ],
)
def test_a_newer_edit_gives_a_rollout_that_is_over_another_chance(conditions: dict[str, Any], state: str) -> None:
    newer: dict[Any, Any] = {ROUTES: [worlds.route({OLD: 100}, hold=held("hello-00003"))]}
    same: dict[Any, Any] = {ROUTES: [worlds.route({OLD: 100}, hold=held(NEW))]}
    assert summary(worlds.ro(conditions), world=same).state == state
    assert summary(worlds.ro(conditions), world=newer).state == "Pending"
    assert summary(worlds.ro(conditions, metadata__generation=4), world=same).state == "Pending"


def test_the_number_of_the_stage_is_the_recorded_one() -> None:
    found = summary(worlds.ro(status__annotations={"stagegate.dev/stages-done": "2"}))
    assert (found.stage, found.stages) == (3, 6)


def test_a_complete_rollout_waits_for_nothing_and_shows_live_revisions_only() -> None:
    last = [entry(OLD, None, "down", targetReplicas=0), entry(NEW, 100, "up", targetReplicas=4)]
    spas = [worlds.spa(OLD, 0, 1, desired=0, actual=0), worlds.spa(NEW, 4, 10, desired=4, actual=4)]
    gone = [worlds.pod_autoscaler(OLD, 0, 0), worlds.pod_autoscaler(NEW, 4, 4)]
    ready = {**DONE, "Ready": {"status": "True", "lastTransitionTime": ago(600)}}
    world = {STAGE_POD_AUTOSCALERS: spas, POD_AUTOSCALERS: gone, PODS: [worlds.pod(NEW)]}
    found = summary(worlds.ro(ready, spec__stageTargetRevisions=last), world=world)
    assert (found.state, found.waits_for, found.cause) == ("Complete", "", None)
    assert [one.name for one in found.revisions] == [NEW]
    assert found.since is not None
    assert (NOW - found.since).total_seconds() == 600


def test_a_revision_without_a_share_is_shown_while_it_runs() -> None:
    spas = [*worlds.base()[STAGE_POD_AUTOSCALERS], worlds.spa("hello-00000", 0, 1, desired=0, actual=2)]
    found = summary(world={STAGE_POD_AUTOSCALERS: spas})
    assert found.revisions[-1] == RevisionSummary("hello-00000", "stay", 0, None, 0, 2, 0, (0, 1))


def test_real_traffic_is_that_of_the_route() -> None:
    found = summary(world={ROUTES: [worlds.route({OLD: 100})]})
    assert [(one.name, one.wished, one.real) for one in found.revisions] == [(OLD, 75, 100), (NEW, 25, 0)]


def test_it_waits_for_the_first_cause_that_bears_on_it() -> None:
    found = summary(world={REVISIONS: [worlds.revision(OLD)]})
    assert (found.state, found.waits_for) == ("Stuck", f"no Revision {NEW}, so the stage cannot be done")


def test_otherwise_it_waits_for_the_step_that_is_not_done() -> None:
    found = summary(world={PODS: []})
    assert (found.state, found.waits_for) == ("Progressing", f"scaling up: waiting for {NEW} to run 1 replica")
    assert found.since is not None
    assert (NOW - found.since).total_seconds() == 40


def test_a_pause_to_come_changes_no_state() -> None:
    later = {"stagegate.dev/pause": "look", "stagegate.dev/pause-after-stage": "2"}
    found = summary(worlds.ro(metadata__annotations=later), world={PODS: []})
    assert (found.state, found.waits_for) == ("Progressing", f"scaling up: waiting for {NEW} to run 1 replica")
    assert found.pause_ahead is not None
    assert found.pause_ahead.says == "pauses after stage 2 (by: not known): look"


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [pytest.param("Aborted", (1, 2), id="going"), pytest.param("AbortComplete", (None, None), id="back")],
)
def test_the_stages_of_an_aborted_rollout_are_those_of_its_way_back(
    reason: str, wanted: tuple[int | None, int | None]
) -> None:
    start = (TargetRevision(OLD, percent=50), TargetRevision(NEW, percent=50))
    record = AbortRecord(f"{NEW}=100", start, (TargetRevision(OLD, percent=100),))
    stage = [entry(NEW, 25, "down", targetReplicas=1), entry(OLD, 75, "up", targetReplicas=3)]
    ro = worlds.ro({"Aborted": {"status": "True", "reason": reason}}, spec__stageTargetRevisions=stage)
    ro["status"]["stageRevisionStatus"] = [entry(NEW, 50, "up", targetReplicas=2), entry(OLD, 50, "down")]
    ro["status"]["annotations"] = {
        "stagegate.dev/aborted": record.to_annotation(),
        "stagegate.dev/planned-targets": f'[["{OLD}",100]]',
        "stagegate.dev/stages-done": "0",
    }
    found = summary(ro)
    assert (found.stage, found.stages) == wanted


def test_what_needs_a_person_comes_first() -> None:
    rows = [
        Summary("b", "x", "Complete", "availability"),
        Summary("b", "y", "Progressing", "availability"),
        Summary("a", "z", "Progressing", "availability"),
        Summary("c", "w", "Paused", "availability"),
        Summary("c", "v", "Failed", "availability"),
    ]
    assert [one.name for one in in_order(rows)] == ["v", "w", "z", "y", "x"]


def test_the_reference_lists_every_state_in_order() -> None:
    section = REFERENCE.read_text().partition("| state | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    assert tuple(line.split(" | ")[0].removeprefix("| ") for line in section.splitlines()) == STATES
