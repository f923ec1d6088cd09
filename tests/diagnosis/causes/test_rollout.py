"""Causes in the rollout itself."""

from typing import Any

import pytest

from tests.diagnosis import worlds
from tests.diagnosis.test_summary import held
from tests.diagnosis.worlds import NEW, OLD, ago, causes, snapshot
from webhook.cluster.resource import EVENTS, REVISIONS, ROLLOUT_ORCHESTRATORS, ROUTES, STAGE_POD_AUTOSCALERS
from webhook.diagnosis.causes import causes_of
from webhook.diagnosis.causes.rollout import refuser_of
from webhook.diagnosis.world import Unread

Wire = dict[str, Any]
NO_PERCENT = "The rollout of the current stage failed with message: spec.targetRevisions[0].percent: is required."
DUE = {"StageReady": {"status": "True", "lastTransitionTime": ago(30)}}
DENIED = 'patch stagepodautoscalers default/hello-00002: admission webhook "guard.example.com" denied the request: no'


def test_failed() -> None:
    ro = worlds.ro({"StageReady": {"status": "False", "message": NO_PERCENT}})
    assert causes({ROLLOUT_ORCHESTRATORS: [ro]}) == [f"failed stops: {NO_PERCENT}"]
    assert "failed" not in "".join(
        causes({ROLLOUT_ORCHESTRATORS: [ro | {"status": {**ro["status"], "observedGeneration": 2}}]})
    )


def test_revision_shared() -> None:
    message = (
        "The rollout moves nothing: hello-00002 belongs to RolloutOrchestrator other; let only one of them name it."
    )
    shared = {"status": "Unknown", "reason": "RevisionShared", "message": message}
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro({"StageReady": shared})]}) == [f"revision-shared stops: {message}"]


def test_revision_missing() -> None:
    assert causes({REVISIONS: [worlds.revision(OLD)]}) == [
        f"revision-missing stops: no Revision {NEW}, so the stage cannot be done"
    ]
    assert causes({REVISIONS: []}, [Unread(REVISIONS, "forbidden")]) == []
    before_the_first_stage = worlds.ro(spec__stageTargetRevisions=[])
    assert causes({ROLLOUT_ORCHESTRATORS: [before_the_first_stage], REVISIONS: [worlds.revision(OLD)]}) == [
        f"revision-missing stops: no Revision {NEW}, so the stage cannot be done"
    ]


def test_a_revision_of_another_service_is_missing() -> None:
    foreign = worlds.revision(NEW, service="other")
    assert causes({REVISIONS: [worlds.revision(OLD), foreign]}) == [
        (
            f"revision-missing stops: Revision {NEW} lacks the label serving.knative.dev/service=hello and the label"
            " serving.knative.dev/configuration=hello, so the stage cannot be done"
        )
    ]


@pytest.mark.parametrize(
    ("ro", "age", "said"),
    [
        pytest.param(worlds.ro(DUE), 5, True, id="the next stage is due"),
        pytest.param(worlds.ro(DUE), 90, False, id="from before the stage was done"),
        pytest.param(worlds.ro(), 5, False, id="a stage is under way"),
        pytest.param(worlds.ro(spec__stageTargetRevisions=[]), 5, True, id="the first stage is due"),
        pytest.param(worlds.ro({**DUE, "LastStageReady": "True"}), 5, False, id="no stage is due"),
    ],
)
def test_not_planned(ro: Wire, age: float, said: bool) -> None:
    message = "the next stage is not planned: PodAutoscaler hello-00001 does not exist yet"
    event = worlds.event("RolloutOrchestrator", "hello", "NotPlanned", message, age)
    found = causes({ROLLOUT_ORCHESTRATORS: [ro], EVENTS: [event]})
    assert found == ([f"not-planned stops: {message}"] if said else [])


@pytest.mark.parametrize(
    ("age", "said"),
    [
        pytest.param(5, True, id="just now"),
        pytest.param(60, False, id="the stage has moved since"),
    ],
)
def test_write_refused(age: float, said: bool) -> None:
    event = worlds.event("RolloutOrchestrator", "hello", "WriteRefused", DENIED, age)
    expected = f"write-refused stops: the admission webhook guard.example.com refuses a write of the loop: {DENIED}"
    assert causes({EVENTS: [event]}) == ([expected] if said else [])


@pytest.mark.parametrize(
    ("age", "said"),
    [
        pytest.param(5, True, id="just now"),
        pytest.param(60, False, id="the stage has moved since"),
    ],
)
def test_bounds_altered(age: float, said: bool) -> None:
    message = "StagePodAutoscaler hello-00001 was stored with bounds 2..99 instead of 2..3: a policy"
    event = worlds.event("RolloutOrchestrator", "hello", "BoundsAltered", message, age)
    assert causes({EVENTS: [event]}) == ([f"bounds-altered delays: {message}"] if said else [])


def test_a_refusal_that_is_not_repeated_is_over() -> None:
    event = worlds.event("StagePodAutoscaler", NEW, "WriteRefused", DENIED, 500)
    quiet = worlds.ro({type_: {"status": "Unknown", "lastTransitionTime": ago(900)} for type_ in worlds.BEGUN})
    assert causes({ROLLOUT_ORCHESTRATORS: [quiet], EVENTS: [event]}) == []
    event["lastTimestamp"] = ago(300)
    assert len(causes({ROLLOUT_ORCHESTRATORS: [quiet], EVENTS: [event]})) == 1


@pytest.mark.parametrize(
    ("message", "who"),
    [
        ('admission webhook "a.b" denied the request: no', "the admission webhook a.b"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "the ValidatingAdmissionPolicy p"),
        (
            'pods is forbidden: User "system:serviceaccount:s:loop" cannot patch',
            "the RBAC of the account system:serviceaccount:s:loop",
        ),
        ("pods x is forbidden: exceeded quota: gpu, requested: a=1", "the ResourceQuota gpu"),
        (
            'Internal error occurred: failed calling webhook "a.b": no endpoints',
            "the admission webhook a.b, which cannot be reached",
        ),
        ("spec.stageMinScale: Invalid value: -1", ""),
    ],
)
def test_who_refuses(message: str, who: str) -> None:
    assert refuser_of(message) == who


def test_spa_missing() -> None:
    old = worlds.base()[STAGE_POD_AUTOSCALERS][:1]
    assert causes({STAGE_POD_AUTOSCALERS: old}) == [
        f"spa-missing delays: there is no StagePodAutoscaler {NEW} yet, so that nobody says how many replicas it runs"
    ]


def test_timed_out_comes_after_what_holds_the_stage_up() -> None:
    message = "The stage was not done by 11:59, and its traffic is not shifted: Deployment x has 0 of 1 replicas."
    late = worlds.ro({"StageReady": {"status": "Unknown", "reason": "StageTimedOut", "message": message}})
    said = f"timed-out stops: {message}"
    assert causes({ROLLOUT_ORCHESTRATORS: [late]}) == [said]
    assert causes({ROLLOUT_ORCHESTRATORS: [late], REVISIONS: [worlds.revision(OLD)]})[1:] == [said]


@pytest.mark.parametrize(
    ("route", "says"),
    [
        (worlds.route({OLD: 100}), "or name another revision in spec.targetRevisions"),
        (
            worlds.route({OLD: 100}, hold=held(NEW)),
            "or edit the template of Service hello: the revision of that edit is rolled out",
        ),
    ],
    ids=["an RO that somebody wrote", "the rollout of a Service"],
)
@pytest.mark.parametrize("cause", ["revision-missing", "timed-out"])
def test_other_targets_come_from_an_edit_where_a_service_is_rolled_out(cause: str, route: Wire, says: str) -> None:
    late = worlds.ro({"StageReady": {"status": "Unknown", "reason": "StageTimedOut", "message": "late"}})
    found = causes_of(snapshot({ROLLOUT_ORCHESTRATORS: [late], REVISIONS: [worlds.revision(OLD)], ROUTES: [route]}))
    assert says in {one.id: one.way_out for one in found}[cause]


def test_every_cause_says_the_way_out_and_what_happens_next() -> None:
    found = causes_of(snapshot({REVISIONS: [worlds.revision(OLD)], STAGE_POD_AUTOSCALERS: []}))
    assert found
    assert all(one.way_out and one.next and one.about for one in found)


def test_a_rollout_that_is_over_has_no_cause() -> None:
    done = dict.fromkeys(("StageReady", "LastStageReady", "Ready"), "True")
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro(done)], REVISIONS: []}) == []
    assert causes({ROLLOUT_ORCHESTRATORS: [worlds.ro(metadata__deletionTimestamp=ago(1))], REVISIONS: []}) == []
