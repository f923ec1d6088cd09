"""The way back of an abort around a revision that has failed."""

from typing import Any

import pytest

from tests.objects import entry, rollout
from webhook.planning.abort import around_failed

OLD, NEW = "hello-00001", "hello-00002"
PRESENT = {OLD: 50, NEW: 50}


def percents(entries: list[Any]) -> dict[str, int | None]:
    return {one.revision_name: one.percent for one in entries}


@pytest.mark.parametrize(
    ("stage", "kept"),
    [
        pytest.param([], {}, id="no stage yet"),
        pytest.param([entry(OLD, 75, "up"), entry(NEW, 25, "down")], {}, id="it would keep a share"),
        pytest.param([entry(OLD, 100, "up"), entry(NEW, None, "down")], {OLD: 100, NEW: None}, id="it loses all of it"),
    ],
)
def test_a_stage_that_leaves_the_failed_revision_a_share_is_planned_anew(
    stage: list[Any], kept: dict[str, int | None]
) -> None:
    ro = rollout(stage, initial=[entry(OLD, 25), entry(NEW, 75)], target=[entry(OLD, 100)], strategy="resourceutil")
    after = around_failed(ro, {NEW}, PRESENT).spec
    assert percents(after.stage_target_revisions) == kept
    assert percents(after.initial_revisions) == ({OLD: 25, NEW: 75} if kept else PRESENT), "it starts at this moment"
    assert after.rollout_strategy == "availability", "what has failed gives no room that is worth waiting for"


def test_others_keep_their_shares() -> None:
    stage = [entry(OLD, 75, "up"), entry(NEW, 25, "down")]
    ro = rollout(stage, initial=[entry(OLD, 50), entry(NEW, 50)], target=[entry(OLD, 100)])
    assert percents(around_failed(ro, {"hello-00003"}, PRESENT).spec.stage_target_revisions) == {OLD: 75, NEW: 25}
