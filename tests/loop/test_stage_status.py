"""What the status of a rollout becomes when no step has to be waited for."""

from typing import Any

import pytest

from tests.objects import entry, rollout
from tests.vectors.fake_cluster import NOON
from webhook.api import InvalidRollout
from webhook.loop.stage_status import record_outcome
from webhook.strategies import strategy_named
from webhook.strategies.stage import Stage

UP_FIRST = strategy_named("availability")
UP, DOWN, STAYS = "hello-00002", "hello-00001", "hello-00000"
STAGE = [entry(STAYS, 20, "stay"), entry(DOWN, None, "down", targetReplicas=0), entry(UP, 80, "up")]
LAST = [entry(DOWN, None, "down", targetReplicas=0), entry(UP, 100, "up")]
TARGET = [entry(UP, 100)]


@pytest.mark.parametrize(
    ("stage", "before", "recorded", "after", "recorded_after"),
    [
        pytest.param(
            STAGE,
            {"StageReady": "Unknown"},
            [],
            ("True", "Unknown", "Unknown"),
            [entry(STAYS, 20, "down"), entry(UP, 80, "up")],
            id="in progress: recorded without what has no traffic, what stays goes down next",
        ),
        pytest.param(
            LAST, {}, [], ("True", "True", "True"), [entry(UP, 100, "up")], id="in progress and the last: complete"
        ),
        pytest.param(
            STAGE,
            {"StageReady": "True", "LastStageReady": "Unknown", "Ready": "Unknown"},
            [entry(DOWN, 100)],
            ("Unknown", "Unknown", "Unknown"),
            [entry(DOWN, 100)],
            id="ready, the rollout is not: a new stage begins",
        ),
        pytest.param(
            LAST,
            {"StageReady": "True", "LastStageReady": "True", "Ready": "Unknown"},
            [entry(UP, 100)],
            ("True", "True", "True"),
            [entry(UP, 100)],
            id="ready, and what was recorded is the end: complete",
        ),
        pytest.param(
            STAGE,
            {"StageReady": "True", "LastStageReady": "True", "Ready": "True"},
            [entry(DOWN, 100)],
            ("True", "True", "True"),
            [entry(DOWN, 100)],
            id="all is ready: it stays so",
        ),
        pytest.param(
            [*STAGE, entry(UP, 0, tag="next")],
            {},
            [],
            ("True", "Unknown", "Unknown"),
            [entry(STAYS, 20, "down"), entry(UP, 80, "up")],
            id="a tag among what is done goes like all without traffic",
        ),
    ],
)
def test_outcome(
    stage: list[Any],
    before: dict[str, str],
    recorded: list[Any],
    after: tuple[str, str, str],
    recorded_after: list[Any],
) -> None:
    ro = rollout(stage, target=TARGET, conditions=before, recorded=recorded)
    record_outcome(ro, Stage.of(ro.spec), UP_FIRST, NOON)
    status = ro.status.conditions.status
    assert (status("StageReady"), status("LastStageReady"), status("Ready")) == after
    assert [revision.to_dict() for revision in ro.status.stage_revision_status] == recorded_after


@pytest.mark.parametrize(
    ("ready", "after"),
    [
        pytest.param("Unknown", ("Unknown", "Unknown", "Unknown"), id="the spec has changed: a new stage begins"),
        pytest.param("True", ("True", "True", "True"), id="nothing has changed: what is done is done"),
    ],
)
def test_what_goes_up_and_cannot_run_completes_nothing_anew(ready: str, after: tuple[str, str, str]) -> None:
    before = {"StageReady": "True", "LastStageReady": "True", "Ready": ready}
    ro = rollout(LAST, target=TARGET, conditions=before, recorded=[entry(UP, 100)])
    record_outcome(ro, Stage.of(ro.spec), UP_FIRST, NOON, can_all_run=False)
    status = ro.status.conditions.status
    assert (status("StageReady"), status("LastStageReady"), status("Ready")) == after


def test_no_panic_leaves_the_status_as_it_was() -> None:
    ro = rollout(STAGE, target=[], conditions={"StageReady": "Unknown"})
    before = ro.status.copy()
    with pytest.raises(InvalidRollout, match=r"spec\.targetRevisions"):
        record_outcome(ro, Stage.of(ro.spec), UP_FIRST, NOON)
    assert ro.status.equals_except_times(before)
