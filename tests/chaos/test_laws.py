"""The laws themselves: each one notices what breaks it, and nothing else."""

from typing import Any

import pytest

from tests.chaos.campaign import refused_and_needless
from tests.chaos.history import Stored, Wire
from tests.chaos.laws import broken_laws
from tests.chaos.proxy import Answered
from tests.loop.world import entry
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.cluster.resource import REVISIONS, ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource

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
DONE = [{"type": "LastStageReady", "status": "True"}]


class Told:
    """A history in the making."""

    def __init__(self) -> None:
        self.events: list[Stored] = []

    def _add(self, resource: Resource, name: str, one: Wire, *, gone: bool = False) -> "Told":
        version = len(self.events) + 1
        metadata = {"namespace": "default", "name": name, "resourceVersion": str(version), **one.pop("metadata", {})}
        self.events.append(Stored(version, resource, {"metadata": metadata, **one}, gone))
        return self

    def revision(self, name: str, *, gone: bool = False) -> "Told":
        return self._add(REVISIONS, name, {}, gone=gone)

    def ro(self, stage: list[Wire] | None = None, status: Wire | None = None, **spec: Any) -> "Told":
        whole = {"initialRevisions": START, "targetRevisions": TARGETS, **spec}
        if stage:
            whole["stageTargetRevisions"] = stage
        return self._add(ROLLOUT_ORCHESTRATORS, "hello", {"spec": whole, "status": status or {}})

    def spa(
        self, name: str, low: int, high: int, actual: int | None = None, *, gone: bool = False, service: str = "hello"
    ) -> "Told":
        status = {} if actual is None else {"desiredScale": actual, "actualScale": actual}
        labels = {REVISION_LABEL: name, SERVICE_LABEL: service}
        one = {
            "metadata": {"labels": labels},
            "spec": {"stageMinScale": low, "stageMaxScale": high},
            "status": status,
        }
        return self._add(STAGE_POD_AUTOSCALERS, name, one, gone=gone)


def told() -> Told:
    return Told().revision(OLD).revision(NEW).ro().spa(OLD, 1, 10, 4)


def reached(percent: int, **more: Any) -> Wire:
    return {"stageRevisionStatus": [entry(OLD, 100 - percent), entry(NEW, percent)], **more}


ALL_IS_WELL = [
    pytest.param(told().ro(HALF).spa(NEW, 1, 10, 2).spa(OLD, 1, 2, 4), id="lowered when the new one is ready"),
    pytest.param(told().ro(HALF).spa(NEW, 1, 10, 0).spa(OLD, 1, 10, 3), id="fewer replicas, the same bounds"),
    pytest.param(
        told().ro(HALF, rolloutStrategy="resourceutil").spa(NEW, 0, 0).spa(OLD, 1, 2, 4), id="resourceutil: down first"
    ),
    pytest.param(told().ro(HALF).ro(LATER, reached(50)).ro(TARGETS, reached(100, conditions=DONE)), id="forward"),
    pytest.param(
        told()
        .ro(LATER)
        .ro(LATER, targetRevisions=[entry(OTHER, 100)])
        .ro([entry(NEW, 80), entry(OTHER, 20)], targetRevisions=[entry(OTHER, 100)]),
        id="other targets, another way",
    ),
    pytest.param(told().ro(HALF).spa(OTHER, 1, 10, 1).spa(OTHER, 0, 1, 1), id="an obsolete one is let go"),
    pytest.param(
        told().spa(NEW, 1, 1).revision(NEW, gone=True).spa(NEW, 1, 1, gone=True), id="deleted as its Revision"
    ),
    pytest.param(told().ro(HALF).ro(HALF), id="written without need once"),
]

BROKEN = [
    pytest.param(
        told().ro(HALF).spa(NEW, 1, 10, 0).spa(OLD, 1, 2, 4), "before hello-00002 is ready", id="1: too early"
    ),
    pytest.param(
        told().ro(HALF).spa(OLD, 0, 10, 4), "before hello-00002 is ready", id="1: minimum, without the new one"
    ),
    pytest.param(told().spa(NEW, 5, 3), "SPA002", id="2: minimum above maximum"),
    pytest.param(told().spa(OTHER, 1, 10).spa(OTHER, 1, 5), "does not name it", id="2: a stranger's bounds"),
    pytest.param(
        told().spa("x", 1, 10, service="x").spa("x", 1, 5, service="x"), "no rollout owns it", id="2: nobody's"
    ),
    pytest.param(told().spa(OLD, 1, 10, gone=True), "its Revision is there", id="2: deleted for nothing"),
    pytest.param(told().ro([entry(OLD, 50), entry(NEW, 40)]), "has 90 percent", id="3: percents get lost"),
    pytest.param(told().ro(HALF).ro(LATER).ro(HALF), "goes back from 80 to 50", id="4: the stage goes back"),
    pytest.param(
        told().ro(HALF).ro(LATER, reached(50)).ro(LATER, reached(20)), "record goes back", id="4: the record goes back"
    ),
    pytest.param(
        told().ro(HALF).ro(TARGETS, reached(100, conditions=DONE)).ro(TARGETS, reached(100)),
        "not any more",
        id="4: complete, then not",
    ),
    pytest.param(told().ro(HALF).ro(HALF).ro(HALF), "twice in a row", id="5: written without need"),
]


@pytest.mark.parametrize("history", ALL_IS_WELL)
def test_what_breaks_no_law(history: Told) -> None:
    assert broken_laws(history.events) == []


@pytest.mark.parametrize(("history", "problem"), BROKEN)
def test_what_breaks_a_law(history: Told, problem: str) -> None:
    assert [line for line in broken_laws(history.events) if problem in line]


def answered(code: int, asked: str = "7", version: str = "8") -> Answered:
    one = {"metadata": {"resourceVersion": version}}
    return Answered("PATCH", "/apis/x/stagepodautoscalers/y", code, {"metadata": {"resourceVersion": asked}}, one)


@pytest.mark.parametrize(
    ("writes", "count"),
    [
        pytest.param([answered(200), answered(409), answered(404)], 0, id="stored, or lost to another writer"),
        pytest.param([answered(200, version="7")], 0, id="needless once"),
        pytest.param([answered(200, version="7"), answered(200), answered(200, version="7")], 0, id="not in a row"),
        pytest.param([answered(200, version="7")] * 2, 1, id="needless twice in a row"),
        pytest.param([answered(422)], 1, id="refused by a rule"),
    ],
)
def test_writes_that_a_server_refuses_or_need_not_have(writes: list[Answered], count: int) -> None:
    assert len(refused_and_needless(writes)) == count
