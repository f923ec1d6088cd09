"""What people ask for: the rollout as it is, the request, and the annotations that change."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.objects import entry, rollout
from webhook.api import RolloutOrchestrator
from webhook.api.steering import Pause
from webhook.planning.steering_request import request_abort, request_pause, request_resume, request_retry

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
PAUSE, PAUSE_BY, UNTIL, GATE = (f"stagegate.dev/pause{end}" for end in ("", "-by", "-until", "-after-stage"))
ABORT, ABORT_BY, ABORT_REASON, RETRY, RETRY_BY = (
    f"stagegate.dev/{key}" for key in ("abort", "abort-by", "abort-reason", "retry", "retry-by")
)
ROLLING = {"StageReady": "Unknown", "Ready": "Unknown"}
SINCE = "2024-05-01T10:00:00Z"


def ro(annotations: dict[str, str] | None = None, **conditions: str) -> RolloutOrchestrator:
    return rollout(
        [entry("hello-00001", 50, "down"), entry("hello-00002", 50, "up")],
        initial=[entry("hello-00001", 100)],
        target=[entry("hello-00002", 100)],
        conditions={**ROLLING, **conditions},
        annotations=annotations or {},
    )


@pytest.mark.parametrize(
    ("present", "conditions", "wanted", "done", "changes"),
    [
        pytest.param({}, {}, Pause("x"), "paused: x", {PAUSE: "x"}, id="running"),
        pytest.param(
            *({}, {}, Pause("x", until=NOON), "paused, until 2030-01-01T12:00:00Z: x"),
            {PAUSE: "x", UNTIL: "2030-01-01T12:00:00Z"},
            id="for a while",
        ),
        pytest.param(
            {}, {}, Pause("x", after_stage=2), "paused after stage 2: x", {PAUSE: "x", GATE: "2"}, id="after a stage"
        ),
        pytest.param(
            *({PAUSE: "y", PAUSE_BY: "alice"}, {"Paused": "True"}, Pause("x")),
            *(f"already paused by alice since {SINCE}: y", {}),
            id="paused already",
        ),
        pytest.param({PAUSE: "y"}, {}, Pause("x"), "already paused by not known: y", {}, id="not in force yet"),
        pytest.param(
            *({PAUSE: "y", GATE: "2", PAUSE_BY: "bob"}, {}, Pause("x", after_stage=3)),
            *("already paused after stage 2 by bob: y", {}),
            id="a gate is there already",
        ),
        pytest.param(
            *({PAUSE: "y", GATE: "2", PAUSE_BY: "bob"}, {}, Pause("x"), "paused: x"),
            {PAUSE: "x", GATE: None, PAUSE_BY: None},
            id="a gate becomes a pause at once",
        ),
        pytest.param(
            *({PAUSE: "y", UNTIL: "2029-01-01T00:00:00Z"}, {}, Pause("x"), "paused: x"),
            {PAUSE: "x", UNTIL: None},
            id="a pause that has ended",
        ),
    ],
)
def test_a_pause(
    present: dict[str, str], conditions: dict[str, str], wanted: Pause, done: str, changes: dict[str, Any]
) -> None:
    request = request_pause(ro(present, **conditions), wanted, NOON)
    assert (request.done, request.changes, request.obstacle) == (done, changes, "")


@pytest.mark.parametrize(
    ("present", "done", "changes"),
    [
        ({}, "not paused", {}),
        ({PAUSE: "x", PAUSE_BY: "a", GATE: "1"}, "resumed", {PAUSE: None, PAUSE_BY: None, GATE: None}),
        ({PAUSE_BY: "a"}, "not paused", {}),
    ],
)
def test_a_resume(present: dict[str, str], done: str, changes: dict[str, None]) -> None:
    request = request_resume(ro(present))
    assert (request.done, request.changes) == (done, changes)


@pytest.mark.parametrize(
    ("present", "stage_ready", "done", "changes"),
    [
        ({}, "Unknown", "not failed: nothing to retry", {}),
        ({}, "False", "retrying hello-00002=100", {RETRY: "hello-00002=100"}),
        ({RETRY: "hello-00002"}, "False", "already asked to retry hello-00002=100", {}),
        ({ABORT: "hello-00002"}, "True", "the abort of hello-00002=100 is taken back", {RETRY: "hello-00002=100"}),
        ({ABORT: "hello-00009"}, "True", "not failed: nothing to retry", {}),
        (
            *({ABORT: "hello-00002", RETRY: "hello-00009", RETRY_BY: "bob"}, "True"),
            *("the abort of hello-00002=100 is taken back", {RETRY: "hello-00002=100", RETRY_BY: None}),
        ),
    ],
)
def test_a_retry(present: dict[str, str], stage_ready: str, done: str, changes: dict[str, str | None]) -> None:
    request = request_retry(ro(present, StageReady=stage_ready))
    assert (request.done, request.changes) == (done, changes)


GIT = "in Git set spec.targetRevisions of hello to hello-00001=100, or to another revision"
ASKED = {ABORT: "hello-00002=100", ABORT_REASON: "errors"}


@pytest.mark.parametrize(
    ("present", "conditions", "done", "note", "changes"),
    [
        ({}, {}, "aborted hello-00002=100, back to hello-00001 100%: errors", GIT, ASKED),
        (
            *({}, {"RouteHeld": "True"}, "aborted hello-00002=100, back to hello-00001 100%: errors"),
            *("in Git change the template of Service hello: the revision of its next edit is rolled out", ASKED),
        ),
        (
            *({ABORT: "hello-00002", ABORT_BY: "bob", ABORT_REASON: "old"}, {"Aborted": "True"}),
            *(f"already aborted by bob since {SINCE}: old", GIT, {}),
        ),
        (
            *({ABORT: "hello-00009", ABORT_BY: "bob", ABORT_REASON: "old"}, {}),
            *("aborted hello-00002=100, back to hello-00001 100%: errors", GIT, ASKED | {ABORT_BY: None}),
        ),
    ],
)
def test_an_abort(
    present: dict[str, str], conditions: dict[str, str], done: str, note: str, changes: dict[str, str | None]
) -> None:
    request = request_abort(ro(present, **conditions), "errors")
    assert (request.done, request.note, request.changes) == (done, note, changes)


def test_a_complete_rollout_cannot_be_aborted() -> None:
    request = request_abort(ro({}, Ready="True", StageReady="True"), "errors")
    assert (request.changes, request.obstacle) == (
        {},
        "the rollout is complete; to go back, roll out the former revision",
    )
