"""The laws themselves: each one notices what breaks it, and nothing else."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos.answered import Answered
from tests.chaos.campaign import distrusted, is_blocked, refused_and_needless, sent_by
from tests.chaos.history import Stored, Wire
from tests.chaos.laws import Sent, broken_laws, judge
from tests.loop.world import entry
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import PODS, REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource

OLD, NEW, OTHER = "hello-00001", "hello-00002", "hello-00009"
START = [entry(OLD, 100, 1, 10)]
TARGETS = [entry(NEW, 100, 1, 10)]
HALF = [
    entry(OLD, 50, 1, 10, direction="down", targetReplicas=2),
    entry(NEW, 50, 1, 10, direction="up", targetReplicas=2),
]
LATER = [
    entry(OLD, 20, 1, 10, direction="down", targetReplicas=1),
    entry(NEW, 80, 1, 10, direction="up", targetReplicas=3),
]
IDLE = [entry(OLD, None, direction="down", targetReplicas=0), entry(NEW, 100, direction="up", targetReplicas=0)]
SHIFTED = [{**one, "percent": one["percent"] + more} for one, more in zip(HALF, (-10, 10), strict=True)]
TIMES = {"begun": "2026-01-01T11:59:00Z", "next": "2026-01-01T12:00:01Z", "later": "2026-01-01T12:01:00Z"}
DONE = [{"type": "LastStageReady", "status": "True"}]


class HistoryBuilder:
    """A history in the making."""

    def __init__(self) -> None:
        self.events: list[Stored] = []
        self._now = 1000.0

    def later(self, seconds: float) -> "HistoryBuilder":
        self._now += seconds
        return self

    def _add(self, resource: Resource, name: str, one: Wire, *, gone: bool = False) -> "HistoryBuilder":
        version = len(self.events) + 1
        metadata = {"namespace": "default", "name": name, "resourceVersion": str(version), **one.pop("metadata", {})}
        self.events.append(Stored(version, resource, {"metadata": metadata, **one}, gone, self._now))
        return self

    def revision(self, name: str, *, gone: bool = False) -> "HistoryBuilder":
        return self._add(REVISIONS, name, {}, gone=gone)

    def ro(self, stage: list[Wire] | None = None, status: Wire | None = None, **spec: Any) -> "HistoryBuilder":
        whole = {"initialRevisions": START, "targetRevisions": TARGETS, **spec}
        if stage:
            whole["stageTargetRevisions"] = stage
        return self._add(ROLLOUT_ORCHESTRATORS, "hello", {"spec": whole, "status": status or {}})

    def annotated(self, stage: list[Wire], status: Wire | None = None, **annotations: str) -> "HistoryBuilder":
        """An RO that somebody steers: ``pause="x"`` is the annotation ``stagegate.dev/pause``."""
        spec = {"initialRevisions": START, "targetRevisions": TARGETS, "stageTargetRevisions": stage}
        found = {f"stagegate.dev/{key}": text for key, text in annotations.items()}
        return self._add(
            ROLLOUT_ORCHESTRATORS, "hello", {"metadata": {"annotations": found}, "spec": spec, "status": status or {}}
        )

    def steered(self, metadata: Wire, spec: Wire, status: Wire) -> "HistoryBuilder":
        return self._add(ROLLOUT_ORCHESTRATORS, "hello", {**copy.deepcopy(metadata), "spec": spec, "status": status})

    def spa(
        self,
        name: str,
        low: int,
        high: int,
        actual: int | None = None,
        desired: int | None = None,
        *,
        gone: bool = False,
        service: str = "hello",
    ) -> "HistoryBuilder":
        wanted = actual if desired is None else desired
        status = {} if actual is None else {"desiredScale": wanted, "actualScale": actual}
        labels = {REVISION_LABEL: name, SERVICE_LABEL: service}
        one = {
            "metadata": {"labels": labels},
            "spec": {"stageMinScale": low, "stageMaxScale": high},
            "status": status,
        }
        return self._add(STAGE_POD_AUTOSCALERS, name, one, gone=gone)

    def pod(
        self, name: str, ends: str = "", *, gone: bool = False, revision: str = OLD, ready: bool = False
    ) -> "HistoryBuilder":
        metadata: Wire = {"uid": f"uid-{name}", "labels": {REVISION_LABEL: revision, SERVICE_LABEL: "hello"}}
        if ends:
            metadata["deletionTimestamp"] = ends
        status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
        return self._add(PODS, name, {"metadata": metadata, "status": status}, gone=gone)


def begun() -> HistoryBuilder:
    return HistoryBuilder().revision(OLD).revision(NEW).ro().spa(OLD, 1, 10, 4)


LED_BACK = {"annotations": {"stagegate.dev/aborted": f'{{"targets": "{NEW}=100"}}'}}
QUARTER = [
    entry(OLD, 75, 1, 10, direction="up", targetReplicas=3),
    entry(NEW, 25, 1, 10, direction="down", targetReplicas=1),
]
QUARTER_SHIFTED = [{**one, "percent": one["percent"] + more} for one, more in zip(QUARTER, (10, -10), strict=True)]
BACK = {**LED_BACK, "conditions": [{"type": "Aborted", "status": "True", "reason": "AbortComplete"}]}


def aborted() -> HistoryBuilder:
    """A rollout that was aborted at half, and is on its way back."""
    history = begun().spa(NEW, 1, 10, 4).ro(HALF).annotated(HALF, abort=NEW).annotated(HALF, LED_BACK, abort=NEW)
    return history.annotated(QUARTER, LED_BACK, abort=NEW)


def reached(percent: int, **more: Any) -> Wire:
    return {"stageRevisionStatus": [entry(OLD, 100 - percent), entry(NEW, percent)], **more}


def aborted_late() -> HistoryBuilder:
    """One that was aborted in its second stage: what is on its way goes back from 20, and the record is of 50."""
    history = begun().spa(NEW, 1, 10, 4).ro(HALF).ro(LATER, reached(50)).annotated(LATER, reached(50), abort=NEW)
    history.annotated(LATER, reached(50, **LED_BACK), abort=NEW)
    back = [entry(OLD, 40, 1, 10, direction="up", targetReplicas=2), entry(NEW, 60, 1, 10, direction="down")]
    history.annotated(back, reached(50, **LED_BACK), abort=NEW)
    under_way = [{"type": "StageReady", "status": "Unknown"}]
    return (
        history.annotated(back, reached(50, **LED_BACK, conditions=under_way), abort=NEW)
        .spa(OLD, 1, 10, 2)
        .annotated(back, reached(60, **LED_BACK), abort=NEW)
    )


def aborted_again() -> HistoryBuilder:
    """The rollout to NEW was aborted; that to OTHER goes on from half, and is aborted in its turn."""
    history = aborted()
    to_other = {"initialRevisions": HALF, "targetRevisions": [entry(OTHER, 100, 1, 10)]}
    steered = {"metadata": {"annotations": {"stagegate.dev/abort": f"{OTHER}=100"}}}
    late = {"annotations": {"stagegate.dev/aborted": f'{{"targets": "{OTHER}=100"}}'}}
    for new, status in ((20, LED_BACK), (40, LED_BACK), (40, late)):
        down = entry(NEW, 50 - new, direction="down", targetReplicas=50 - new)
        stage = [entry(OLD, 50, direction="stay"), down, entry(OTHER, new, direction="up")]
        history.steered(steered, {**to_other, "stageTargetRevisions": stage}, status)
    back = {**late, "conditions": BACK["conditions"]}
    history.spa(OLD, 1, 10, 2).spa(NEW, 1, 10, 2).spa(OTHER, 0, 1, 0)
    return history.steered(steered, {**to_other, "stageTargetRevisions": HALF}, back)


def pod_ended(seconds: float) -> HistoryBuilder:
    """The new revision ran a pod until so many seconds ago, and is still recorded with it."""
    history = begun().ro(IDLE).pod("n", revision=NEW, ready=True).spa(NEW, 0, 10, 1)
    return history.pod("n", TIMES["begun"], revision=NEW, ready=True, gone=True).later(seconds)


def left(seconds: float) -> HistoryBuilder:
    """NEW runs, and has not been named for so long."""
    return begun().spa(NEW, 1, 10, 1).ro(targetRevisions=[entry(OTHER, 100)]).later(seconds)


def done(history: HistoryBuilder) -> HistoryBuilder:
    stage_ready = {"conditions": [{"type": "StageReady", "status": "True"}]}
    return history.ro(START, stage_ready, targetRevisions=[entry(OTHER, 100)])


ALL_IS_WELL = [
    pytest.param(aborted_late(), id="an abort in the middle of a stage"),
    pytest.param(begun().ro(HALF).spa(NEW, 1, 10, 2).spa(OLD, 1, 2, 4), id="lowered when the new one is ready"),
    pytest.param(begun().ro(HALF).spa(NEW, 1, 10, 0).spa(OLD, 1, 10, 3), id="fewer replicas, the same bounds"),
    pytest.param(
        begun().ro(HALF, rolloutStrategy="resourceutil").spa(NEW, 0, 0).spa(OLD, 1, 2, 4), id="resourceutil: down first"
    ),
    pytest.param(
        begun().spa(NEW, 1, 10, 4).ro(HALF).ro(LATER, reached(50)).ro(TARGETS, reached(100, conditions=DONE)),
        id="forward",
    ),
    pytest.param(begun().ro(IDLE).spa(NEW, 0, 10, 0).spa(OLD, 0, 1, 0), id="both at zero on purpose"),
    pytest.param(
        begun().ro(IDLE).pod("n", revision=NEW, ready=True).spa(NEW, 0, 10, 1).spa(OLD, 0, 1, 4),
        id="lowered when a pod of the new one is ready",
    ),
    pytest.param(
        begun().ro(IDLE).pod("n", TIMES["begun"], revision=NEW, ready=True).spa(NEW, 0, 10, 1).spa(OLD, 0, 1, 4),
        id="lowered when the last pod of the new one has begun to terminate, which is not reported yet",
    ),
    pytest.param(
        pod_ended(29.0).spa(OLD, 0, 1, 4), id="lowered when the last pod has just ended, which is not known yet"
    ),
    pytest.param(pod_ended(29.0).ro(IDLE, reached(100)), id="recorded when the last pod has just ended"),
    pytest.param(
        begun()
        .ro(LATER)
        .ro(LATER, targetRevisions=[entry(OTHER, 100)])
        .ro([entry(NEW, 80), entry(OTHER, 20)], targetRevisions=[entry(OTHER, 100)]),
        id="other targets, another way",
    ),
    pytest.param(begun().ro(HALF).spa(OTHER, 1, 10, 1).spa(OTHER, 0, 1, 1), id="an obsolete one is let go"),
    pytest.param(
        begun().spa(NEW, 1, 10).ro(targetRevisions=[entry(OTHER, 100)]).later(29.0).spa(NEW, 1, 5),
        id="written for targets that are not the present ones any more, which is not known yet",
    ),
    pytest.param(
        begun().spa(NEW, 1, 1).revision(NEW, gone=True).spa(NEW, 1, 1, gone=True), id="deleted as its Revision"
    ),
    pytest.param(done(left(29.0)), id="done, and an obsolete one was named a moment ago"),
    pytest.param(done(left(31.0).spa(NEW, 0, 1, 1)), id="done, and an obsolete one runs still, but was let go"),
    pytest.param(done(left(31.0).spa(NEW, 1, 10, 0)), id="done, and an obsolete one runs nothing"),
    pytest.param(
        done(left(31.0).spa(NEW, 1, 10, 0).spa(NEW, 1, 10, 0, 1)), id="done, and an obsolete one has just begun to run"
    ),
    pytest.param(begun().ro(HALF).ro(HALF), id="written without need once"),
    pytest.param(begun().annotated(HALF, pause="x").ro(HALF).ro(LATER), id="resumed, then the next stage"),
    pytest.param(aborted().annotated(START, LED_BACK, abort=NEW).spa(NEW, 0, 1, 0), id="back by stages"),
    pytest.param(
        aborted().spa(NEW, 0, 1, 0).annotated(START, LED_BACK, abort=NEW).annotated(START, BACK, abort=NEW),
        id="back where it began",
    ),
    pytest.param(aborted().ro(QUARTER, LED_BACK).ro(HALF), id="the abort is taken back, and it goes on"),
    pytest.param(aborted_again(), id="other targets are set, and aborted before the former abort is forgotten"),
    pytest.param(
        aborted()
        .ro(QUARTER, {**reached(50), **LED_BACK}, targetFinishTime=TIMES["begun"])
        .ro(QUARTER_SHIFTED, reached(50), targetFinishTime=TIMES["next"])
        .ro(QUARTER_SHIFTED, {**reached(50), "annotations": {}}, targetFinishTime=TIMES["next"])
        .ro(QUARTER_SHIFTED, reached(15), targetFinishTime=TIMES["next"])
        .ro(HALF, reached(15), targetFinishTime=TIMES["later"]),
        id="the abort is taken back in a late stage, which is shifted, and comes to its end",
    ),
]

KNOWN_LATE = "1: its pod ended long ago"


READY = [{"type": "Ready", "status": "True"}, *DONE]

BROKEN = [
    pytest.param(
        begun().ro(HALF).ro(START, {"stageRevisionStatus": START, "conditions": READY}),
        "Ready with {'hello-00001': 100}, and its targets are {'hello-00002': 100}",
        id="11: Ready at what was not asked for",
    ),
    pytest.param(
        begun().ro(HALF).spa(NEW, 1, 10, 0).spa(OLD, 1, 2, 4), "before hello-00002 is ready", id="1: too early"
    ),
    pytest.param(
        begun().ro(HALF).spa(OLD, 0, 10, 4), "before hello-00002 is ready", id="1: minimum, without the new one"
    ),
    pytest.param(
        begun().ro(IDLE).spa(NEW, 0, 10, 0, 1).spa(OLD, 0, 1, 4),
        "before hello-00002 is ready",
        id="1: without a minimum, wanted and not there",
    ),
    pytest.param(
        begun().ro(IDLE).pod("n", revision=NEW).spa(NEW, 0, 10, 1).spa(OLD, 0, 1, 4),
        "before hello-00002 is ready",
        id="1: reported to run, and no pod is ready",
    ),
    pytest.param(pod_ended(31.0).spa(OLD, 0, 1, 4), "before hello-00002 is ready", id=KNOWN_LATE),
    pytest.param(
        begun().ro(HALF).spa(NEW, 1, 10, 0, 1).ro(HALF, reached(50)),
        "recorded with 50 percent for hello-00002, which does not run",
        id="8: done without the new one",
    ),
    pytest.param(
        begun().ro(HALF, rolloutStrategy="resourceutil").spa(NEW, 0, 0).ro(HALF, reached(50)),
        "recorded with 50 percent for hello-00002, which does not run",
        id="8: resourceutil, done without the new one",
    ),
    pytest.param(begun().spa(NEW, 5, 3), "minimum 5 is above its maximum 3", id="2: minimum above maximum"),
    pytest.param(begun().spa(NEW, -1, 3), "a bound of -1", id="2: no whole number from 0 on"),
    pytest.param(begun().spa(OTHER, 1, 10).spa(OTHER, 1, 5), "does not name it", id="2: a stranger's bounds"),
    pytest.param(
        begun().spa(NEW, 1, 10).ro(targetRevisions=[entry(OTHER, 100)]).later(31.0).spa(NEW, 1, 5),
        "does not name it",
        id="2: bounds for targets of long ago",
    ),
    pytest.param(
        begun().spa("x", 1, 10, service="x").spa("x", 1, 5, service="x"), "no rollout owns it", id="2: nobody's"
    ),
    pytest.param(begun().spa(OLD, 1, 10, gone=True), "its Revision is there", id="2: deleted for nothing"),
    pytest.param(begun().ro([entry(OLD, 50), entry(NEW, 40)]), "has 90 percent", id="3: percents get lost"),
    pytest.param(begun().ro(HALF).ro(LATER).ro(HALF), "goes back from 80 to 50", id="4: the stage goes back"),
    pytest.param(
        begun().ro(HALF).ro(LATER, reached(50)).ro(LATER, reached(20)), "record goes back", id="4: the record goes back"
    ),
    pytest.param(
        begun().ro(HALF).ro(TARGETS, reached(100, conditions=DONE)).ro(TARGETS, reached(100)),
        "not any more",
        id="4: complete, then not",
    ),
    pytest.param(done(left(31.0)), "hello-00002, which it does not name, is left with (1, 10)", id="12: left running"),
    pytest.param(
        done(left(31.0).spa(NEW, 0, 0, 0, 1)), "which it does not name, is left with (0, 0)", id="12: left held"
    ),
    pytest.param(begun().ro(HALF).ro(HALF).ro(HALF), "twice in a row", id="5: written without need"),
    pytest.param(aborted().annotated(HALF, LED_BACK, abort=NEW), "goes back from 75 to 50", id="4: an abort turns"),
    pytest.param(begun().annotated(HALF, pause="x").annotated(LATER, pause="x"), "paused, and", id="9: moved"),
    pytest.param(begun().annotated(HALF, pause="x").ro(LATER), "paused, and", id="9: resumed and moved in one write"),
    pytest.param(
        aborted().annotated(QUARTER, BACK, abort=NEW), "back with 75 percent of hello-00001", id="10: not all the way"
    ),
    pytest.param(
        aborted().spa(OLD, 1, 3, 3).annotated(START, BACK, abort=NEW), "back with (1, 3)", id="10: other bounds"
    ),
    pytest.param(
        aborted().annotated(START, BACK, abort=NEW), "(1, 10) for hello-00002", id="10: the new one still runs"
    ),
]


@pytest.mark.parametrize("history", ALL_IS_WELL)
def test_what_breaks_no_law(history: HistoryBuilder) -> None:
    assert broken_laws(history.events) == []


@pytest.mark.parametrize(("history", "problem"), BROKEN)
def test_what_breaks_a_law(history: HistoryBuilder, problem: str) -> None:
    assert [line for line in broken_laws(history.events) if problem in line]


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        pytest.param(begun().ro(START), "", id="what has the traffic runs"),
        pytest.param(begun().ro(HALF).spa(NEW, 1, 10, 2), "", id="both have traffic"),
        pytest.param(begun().ro(START).spa(NEW, 0, 1, 1), "", id="let go"),
        pytest.param(begun().ro(START).spa(NEW, 1, 10), "", id="never ran"),
        pytest.param(begun().ro(START).spa("x", 1, 10, 1, service="x"), "", id="of no rollout"),
        pytest.param(
            begun().ro(START).spa(NEW, 1, 10, 1), f"{NEW} has no traffic, and is left with (1, 10)", id="left running"
        ),
        pytest.param(begun().ro(START).spa(OTHER, 0, 0, 0, 1), f"{OTHER} has no traffic, and is left", id="held"),
        pytest.param(aborted().annotated(START, BACK, abort=NEW), f"{NEW} has no traffic", id="aborted"),
    ],
)
def test_12_at_the_end_only_what_has_traffic_runs(history: HistoryBuilder, problem: str) -> None:
    verdict = judge(history.events)
    before = len(verdict.broken)
    verdict.end()
    assert [bool(problem) and problem in line for line in verdict.broken[before:]] == [True] * bool(problem)


FORMER = [
    pytest.param(begun().annotated(HALF, pause="x").annotated(LATER, pause="x"), -1, id="9: it knows no pause"),
    pytest.param(aborted().annotated(HALF, LED_BACK, abort=NEW), -1, id="4: it knows no abort, and goes on"),
    pytest.param(
        aborted().annotated(HALF, LED_BACK, abort=NEW).annotated(QUARTER, LED_BACK, abort=NEW),
        -2,
        id="4: whoever comes next turns back",
    ),
    pytest.param(aborted().annotated(QUARTER, BACK, abort=NEW), -1, id="10: it keeps to no way back"),
    pytest.param(pod_ended(31.0).spa(OLD, 0, 1, 4), -1, id=KNOWN_LATE),
]


@pytest.mark.parametrize(("history", "by_former"), FORMER)
def test_a_former_release_is_judged_by_the_laws_that_it_knew(history: HistoryBuilder, by_former: int) -> None:
    assert broken_laws(history.events) != []
    assert broken_laws(history.events, Sent(former={history.events[by_former].version})) == []


@pytest.mark.parametrize(
    ("history", "problem"),
    [
        row
        for row in BROKEN
        if str(row.id).partition(":")[0] in ("1", "2", "3", "5", "8", "12") and row.id != KNOWN_LATE
    ],
)
def test_the_other_laws_hold_for_a_former_release_too(history: HistoryBuilder, problem: str) -> None:
    assert [
        line
        for line in broken_laws(history.events, Sent(former=frozenset(one.version for one in history.events)))
        if problem in line
    ]


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def timed(stage: list[Wire], time: str, status: Wire | None = None) -> Wire:
    return {"stage": stage, "status": status, "targetFinishTime": TIMES[time]}


@pytest.mark.parametrize(
    ("before", "after", "shifts", "problem"),
    [
        pytest.param(timed(HALF, "begun"), timed(SHIFTED, "later"), 1, "", id="late, and has another time"),
        pytest.param(timed(HALF, "later"), timed(LATER, "later"), 0, "", id="another stage"),
        pytest.param(
            timed(HALF, "later", reached(50, conditions=[{"type": "StageReady", "status": "True"}])),
            timed(SHIFTED, "later"),
            0,
            "",
            id="another stage with the same targets",
        ),
        pytest.param(timed(HALF, "begun"), timed(SHIFTED, "begun"), 1, "its time goes from", id="no other time"),
        pytest.param(timed(HALF, "next"), timed(SHIFTED, "later"), 1, "it has time until", id="too early"),
    ],
)
def test_6_traffic_is_shifted_only_in_a_late_stage(before: Wire, after: Wire, shifts: int, problem: str) -> None:
    history = begun().spa(NEW, 1, 10, 4).ro(**before).ro(**after)
    verdict = judge(history.events, Sent({len(history.events): NOON}))
    assert verdict.shifts == shifts
    assert [bool(problem) and problem in line for line in verdict.broken] == [True] * bool(problem)


def held() -> HistoryBuilder:
    return begun().ro(HALF, rolloutStrategy="resourceutil").spa(NEW, 0, 0)


@pytest.mark.parametrize(
    ("history", "by_the_loop", "problem"),
    [
        pytest.param(begun().pod("p", TIMES["begun"]).pod("p", gone=True), True, "", id="past its time"),
        pytest.param(begun().pod("p", TIMES["later"]).pod("p", gone=True), False, "", id="it ended by itself"),
        pytest.param(held().pod("p", TIMES["later"]).pod("p", gone=True), True, "", id="a held revision waits"),
        pytest.param(
            begun().ro(HALF, rolloutStrategy="resourceutil").pod("p", TIMES["later"]).pod("p", gone=True),
            True,
            "",
            id="a revision that is just made waits",
        ),
        pytest.param(
            held().spa(NEW, 1, 10).pod("p", TIMES["later"]).pod("p", gone=True),
            True,
            "it has time until",
            id="the revision is held no longer",
        ),
        pytest.param(
            begun().ro(HALF).spa(NEW, 0, 0).pod("p", TIMES["later"]).pod("p", gone=True),
            True,
            "it has time until",
            id="availability waits for no room",
        ),
        pytest.param(begun().pod("p", TIMES["later"]).pod("p", gone=True), True, "it has time until", id="too early"),
        pytest.param(begun().pod("p").pod("p", gone=True), True, "nobody had deleted it", id="not deleted"),
    ],
)
def test_7_a_pod_is_removed_only_past_its_time_or_for_its_room(
    history: HistoryBuilder, by_the_loop: bool, problem: str
) -> None:
    removed = {"uid-p": NOON} if by_the_loop else {}
    broken = broken_laws(history.events, Sent(removed=removed))
    assert [bool(problem) and problem in line for line in broken] == [True] * bool(problem)


def test_when_writes_were_sent_is_known_by_version_and_by_pod() -> None:
    pod = Answered("DELETE", "/api/v1/namespaces/a/pods/p", 200, {"preconditions": {"uid": "u"}}, {}, "loop-1", 95.0)
    stored = Answered("PATCH", "/x", 200, {}, {"metadata": {"resourceVersion": "8"}}, "loop-1", 90.0)
    refused = Answered("PATCH", "/x", 409, {}, {}, "loop-1", 91.0)
    sent = sent_by([pod, stored, refused], NOON, 100.0)
    assert sent.versions == {8: NOON - timedelta(seconds=10)}
    assert sent.removed == {"u": NOON - timedelta(seconds=5)}


def test_times_are_those_of_the_clock_of_the_process() -> None:
    by_former = Answered("PATCH", "/x", 200, {}, {"metadata": {"resourceVersion": "8"}}, "loop-1", 90.0)
    sent = sent_by([by_former], NOON, 100.0, lambda who, at: timedelta(hours=1), {"loop-1"})
    assert sent.versions == {8: NOON - timedelta(seconds=10) + timedelta(hours=1)}
    assert sent.former == {8}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        pytest.param("failed calling webhook: x509: certificate signed by unknown authority", 1, id="kube-apiserver"),
        pytest.param("failed calling webhook: certificate verify failed: unable to get local issuer", 1, id="sandbox"),
        pytest.param("failed calling webhook: connect: connection refused", 0, id="it was not there"),
        pytest.param("x509: certificate signed by unknown authority", 0, id="of somebody else"),
    ],
)
def test_no_write_may_fail_for_the_certificate_of_the_webhook(message: str, found: int) -> None:
    assert len(distrusted([Answered("PATCH", "/x", 500, {}, {"message": message})])) == found


def test_a_write_that_failed_for_the_webhook_is_kept_apart_from_others() -> None:
    failed = {"message": 'Internal error occurred: failed calling webhook "validate.stagegate.dev": EOF'}
    assert is_blocked(Answered("PATCH", "/x", 500, {}, failed))
    assert not is_blocked(Answered("PATCH", "/x", 500, {}, {"message": "etcdserver: leader changed"}))


def answered(code: int, asked: str = "7", version: str = "8", warning: str = "") -> Answered:
    one = {"metadata": {"resourceVersion": version}}
    path, body = "/apis/x/stagepodautoscalers/y", {"metadata": {"resourceVersion": asked}}
    return Answered("PATCH", path, code, body, one, warnings=(warning,) if warning else ())


@pytest.mark.parametrize(
    ("writes", "count"),
    [
        pytest.param([answered(200), answered(409), answered(404)], 0, id="stored, or lost to another writer"),
        pytest.param([answered(200, version="7")], 0, id="needless once"),
        pytest.param([answered(200, version="7"), answered(200), answered(200, version="7")], 0, id="not in a row"),
        pytest.param([answered(200, version="7")] * 2, 1, id="needless twice in a row"),
        pytest.param([answered(422)], 1, id="refused by a rule"),
        pytest.param(
            [answered(200, warning='299 - "... above the maximum [SPA002]"')], 1, id="let through, with a word"
        ),
        pytest.param([answered(200, warning='299 - "... has no effect [SPA005]"')], 0, id="warned of what it does"),
    ],
)
def test_writes_that_a_server_refuses_or_need_not_have(writes: list[Answered], count: int) -> None:
    assert len(refused_and_needless(writes)) == count
