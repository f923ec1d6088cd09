"""Steering: the annotations of an RO, read into values; what cannot be read; what an update changes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from webhook.api import TargetRevision
from webhook.api.steering import (
    ABORT,
    ABORT_BY,
    ABORT_GROUP,
    ABORT_REASON,
    PAUSE,
    PAUSE_AFTER_STAGE,
    PAUSE_BY,
    PAUSE_GROUP,
    PAUSE_UNTIL,
    RETRY,
    RETRY_BY,
    RETRY_GROUP,
    Abort,
    Group,
    Pause,
    Retry,
    Steering,
    changed_groups,
    names_targets,
    problems_in,
    steering_of,
    targets_text,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
TARGETS = [TargetRevision(revision_name="hello-00002", percent=100)]
SPLIT = [TargetRevision(revision_name="a", percent=40), TargetRevision(revision_name="b", percent=60)]


@pytest.mark.parametrize(
    ("annotations", "steering"),
    [
        pytest.param(None, Steering(), id="no annotations"),
        pytest.param({"other": "x"}, Steering(), id="none of ours"),
        pytest.param({PAUSE: "load test"}, Steering(Pause("load test")), id="paused by hand: the reason is enough"),
        pytest.param(
            {PAUSE: "x", PAUSE_BY: "alice", PAUSE_UNTIL: "2030-01-01T12:00:00Z", PAUSE_AFTER_STAGE: "3"},
            Steering(Pause("x", "alice", NOON, 3)),
            id="paused with everything",
        ),
        pytest.param(
            {PAUSE: "x", PAUSE_UNTIL: "2030-01-01T13:00:00+01:00"},
            Steering(Pause("x", until=NOON)),
            id="a time with an offset",
        ),
        pytest.param(
            {ABORT: "hello-00002", ABORT_BY: "bob", ABORT_REASON: "errors"},
            Steering(abort=Abort("hello-00002", "bob", "errors")),
            id="aborted",
        ),
        pytest.param({RETRY: "a=40,b=60", RETRY_BY: "bob"}, Steering(retry=Retry("a=40,b=60", "bob")), id="retried"),
        pytest.param(
            {PAUSE_BY: "alice", PAUSE_UNTIL: "soon"},
            Steering(leftovers=(PAUSE_BY, PAUSE_UNTIL)),
            id="what is left once the main annotation was taken away means nothing",
        ),
    ],
)
def test_annotations_are_read_into_values(annotations: dict[str, Any] | None, steering: Steering) -> None:
    assert steering_of(annotations) == steering


@pytest.mark.parametrize(
    ("annotations", "pause", "keys"),
    [
        pytest.param({PAUSE: ""}, Pause(""), [PAUSE], id="without a reason"),
        pytest.param({PAUSE: "x", PAUSE_UNTIL: "1h"}, Pause("x"), [PAUSE_UNTIL], id="an end that is no time: no end"),
        pytest.param({PAUSE: "x", PAUSE_UNTIL: "2030-02-31T00:00:00Z"}, Pause("x"), [PAUSE_UNTIL], id="no such day"),
        pytest.param(
            {PAUSE: "x", PAUSE_AFTER_STAGE: "two"}, Pause("x"), [PAUSE_AFTER_STAGE], id="no number of a stage: at once"
        ),
        pytest.param({PAUSE: "x", PAUSE_AFTER_STAGE: "0"}, Pause("x"), [PAUSE_AFTER_STAGE], id="there is no stage 0"),
        pytest.param({PAUSE: "a\nb"}, Pause(""), [PAUSE], id="a reason of two lines"),
        pytest.param({PAUSE: 1}, Pause(""), [PAUSE], id="a reason that is no text"),
    ],
)
def test_a_pause_that_cannot_be_read_pauses_nevertheless(
    annotations: dict[str, Any], pause: Pause, keys: list[str]
) -> None:
    steering = steering_of(annotations)
    assert steering.pause == pause
    assert [problem.key for problem in steering.problems] == keys


@pytest.mark.parametrize(
    "value", ["", "Hello", "hello 00002", "hello=101", "hello=1.5", "a,,b", "=100", "x" * 20_001, None, 7]
)
@pytest.mark.parametrize("key", [ABORT, RETRY])
def test_an_abort_or_retry_that_cannot_be_read_does_nothing(key: str, value: Any) -> None:
    steering = steering_of({key: value})
    assert (steering.abort, steering.retry) == (None, None)
    assert [problem.key for problem in steering.problems] == [key]


@pytest.mark.parametrize(
    ("text", "targets", "named"),
    [
        ("hello-00002", TARGETS, True),
        ("hello-00002=100", TARGETS, True),
        ("hello-00002=50", TARGETS, False),
        ("hello-00003", TARGETS, False),
        ("a=40,b=60", SPLIT, True),
        ("a,b", SPLIT, True),
        ("b,a", SPLIT, False),
        ("a", SPLIT, False),
        ("a,b", [], False),
        ("hello-00002", [*TARGETS, TargetRevision(revision_name="hello-00002", tag="x")], True),
    ],
)
def test_which_targets_a_text_names(text: str, targets: list[TargetRevision], named: bool) -> None:
    assert names_targets(text, targets) is named


@pytest.mark.parametrize("targets", [TARGETS, SPLIT, [TargetRevision(revision_name="a")]])
def test_the_text_of_targets_names_them(targets: list[TargetRevision]) -> None:
    assert names_targets(targets_text(targets), targets)


@pytest.mark.parametrize(
    ("after", "before", "groups"),
    [
        ({PAUSE: "x"}, None, [PAUSE_GROUP]),
        ({PAUSE: "x"}, {PAUSE: "x"}, []),
        ({PAUSE: "x", PAUSE_BY: "a"}, {PAUSE: "x"}, [PAUSE_GROUP]),
        ({PAUSE: "x"}, {PAUSE: "x", PAUSE_BY: "a"}, [PAUSE_GROUP]),
        ({}, {PAUSE: "x", PAUSE_BY: "a"}, []),
        ({PAUSE_BY: "a"}, {PAUSE: "x", PAUSE_BY: "a"}, [PAUSE_GROUP]),
        ({PAUSE: "x", ABORT: "a", RETRY: "a"}, {PAUSE: "x"}, [ABORT_GROUP, RETRY_GROUP]),
    ],
)
def test_which_groups_an_update_sets(after: dict[str, str], before: dict[str, str] | None, groups: list[Group]) -> None:
    assert changed_groups(after, before) == groups


@pytest.mark.parametrize(
    ("after", "before", "keys"),
    [
        pytest.param({PAUSE: "x", PAUSE_AFTER_STAGE: "1"}, None, [], id="sound"),
        pytest.param({PAUSE_AFTER_STAGE: "1"}, None, [PAUSE_AFTER_STAGE], id="a gate without a pause"),
        pytest.param(
            {PAUSE_AFTER_STAGE: "1"}, {PAUSE: "x", PAUSE_AFTER_STAGE: "1"}, [], id="what a resume by hand leaves"
        ),
        pytest.param({PAUSE: "x", PAUSE_UNTIL: "1h"}, {PAUSE: "x"}, [PAUSE_UNTIL], id="malformed"),
    ],
)
def test_what_is_wrong_with_what_an_update_sets(
    after: dict[str, str], before: dict[str, str] | None, keys: list[str]
) -> None:
    assert [problem.key for problem in problems_in(after, before, [PAUSE_GROUP])] == keys
