"""Completion: an SPA and its RO before, the patch that fills in what is absent after."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.fake_api import merged
from tests.loop.world import entry
from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import rollout_owner_reference
from webhook.api.wire import Wire
from webhook.loop.completion import completion_patch, rollout_name_of

OWNER = rollout_owner_reference("hello", "u1")
LABELS = {REVISION_LABEL: "r1", SERVICE_LABEL: "hello"}


def ro(**spec: Any) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict({"metadata": {"namespace": "ns", "name": "hello", "uid": "u1"}, "spec": spec})


def spa(labels: Wire | None = None, owners: list[Wire] | None = None, **spec: Any) -> StagePodAutoscaler:
    metadata = {"namespace": "ns", "name": "r1", "labels": labels or {}, "ownerReferences": owners or []}
    return StagePodAutoscaler.from_dict({"metadata": metadata, "spec": spec})


ENTRY = ro(targetRevisions=[entry("r1", 100, 2, 8)])
HPA_OWNER = {"kind": "Other", "apiVersion": "v1", "name": "x", "uid": "u9", "controller": True}


@pytest.mark.parametrize(
    ("before", "rollout", "patch"),
    [
        (
            spa(),
            ENTRY,
            {
                "metadata": {"labels": LABELS, "ownerReferences": [OWNER]},
                "spec": {"stageMinScale": 2, "stageMaxScale": 8},
            },
        ),
        (spa(LABELS, [OWNER], stageMinScale=0, stageMaxScale=1), ENTRY, {}),
        (spa(LABELS, [OWNER], stageMinScale=1), ENTRY, {"spec": {"stageMaxScale": 8}}),
        (spa(LABELS, [HPA_OWNER], stageMinScale=1, stageMaxScale=1), ENTRY, {}),
        (
            spa(LABELS, [{"uid": "u9", "name": "x"}], stageMinScale=1, stageMaxScale=1),
            ENTRY,
            {"metadata": {"ownerReferences": [{"uid": "u9", "name": "x"}, OWNER]}},
        ),
        (
            spa({SERVICE_LABEL: "hello"}, [OWNER], stageMinScale=1, stageMaxScale=1),
            ENTRY,
            {"metadata": {"labels": {REVISION_LABEL: "r1"}}},
        ),
        (spa({**LABELS, REVISION_LABEL: "other"}, [OWNER], stageMinScale=1, stageMaxScale=1), ENTRY, {}),
        (spa(LABELS, [OWNER], stageMaxScale=1), ENTRY, {}),
        (spa(LABELS, [OWNER], stageMaxScale=0), ENTRY, {"spec": {"stageMinScale": 2}}),
        (spa(LABELS, [OWNER]), ro(targetRevisions=[entry("r1", 100)]), {}),
        (spa(LABELS, [OWNER]), ro(targetRevisions=[entry("r1", 100, 0)]), {"spec": {"stageMinScale": 0}}),
        (spa(LABELS, [OWNER]), ro(targetRevisions=[entry("r2", 100, 1, 1)]), {}),
        (
            spa(LABELS, [OWNER]),
            ro(stageTargetRevisions=[entry("r1", 10, 3)], targetRevisions=[entry("r1", 100, 4, 4)]),
            {"spec": {"stageMinScale": 3}},
        ),
        (
            spa(LABELS, [OWNER]),
            ro(initialRevisions=[entry("r1", 10, 1)], targetRevisions=[entry("r2", 100, 4)]),
            {"spec": {"stageMinScale": 1}},
        ),
    ],
    ids=[
        "a bare one",
        "a complete one",
        "one bound",
        "another controller",
        "an owner that is no controller",
        "one label",
        "a stated label stays",
        "a fill that would contradict what is stated",
        "a maximum of 0 is no limit",
        "an entry without bounds is never filled as 0",
        "an entry that states 0",
        "no entry",
        "the stage comes first",
        "the start comes last",
    ],
)
def test_rows(before: StagePodAutoscaler, rollout: RolloutOrchestrator, patch: Wire) -> None:
    assert completion_patch(before, rollout) == patch


BOUND = st.none() | st.integers(0, 4)


@given(BOUND, BOUND, BOUND, BOUND, st.booleans(), st.booleans())
def test_a_second_pass_fills_nothing_and_what_was_stated_stays(
    low: int | None, high: int | None, stage_low: int | None, stage_high: int | None, labelled: bool, owned: bool
) -> None:
    stated = {k: v for k, v in (("stageMinScale", stage_low), ("stageMaxScale", stage_high)) if v is not None}
    before = spa(LABELS if labelled else {}, [OWNER] if owned else [], **stated)
    rollout = ro(targetRevisions=[entry("r1", 100, low, high)])
    after = merged(before.to_dict(), completion_patch(before, rollout))
    assert completion_patch(StagePodAutoscaler.from_dict(after), rollout) == {}
    assert stated.items() <= (after.get("spec") or {}).items()
    minimum, maximum = after.get("spec", {}).get("stageMinScale"), after.get("spec", {}).get("stageMaxScale")
    if not (stage_low and stage_high and stage_low > stage_high):
        assert not (minimum and maximum and minimum > maximum)


def rollout_object(name: str, **metadata: Any) -> Wire:
    return {"metadata": {"namespace": "ns", "name": name, **metadata}}


HELLO, WORLD = rollout_object("hello"), rollout_object("world")
GOING = rollout_object("going", deletionTimestamp="2026-01-01T00:00:00Z")
OTHER_KIND = [{**OWNER, "kind": "Service"}]


@pytest.mark.parametrize(
    ("labels", "owners", "listing", "name"),
    [
        ({SERVICE_LABEL: "hello"}, [], [WORLD], "hello"),
        ({SERVICE_LABEL: "nobody"}, [OWNER], [HELLO], None),
        ({SERVICE_LABEL: "going"}, [], [], None),
        ({}, [OWNER], [WORLD], "hello"),
        ({}, OTHER_KIND, [WORLD], "world"),
        ({}, [], [WORLD], "world"),
        ({}, [], [HELLO, WORLD], None),
        ({}, [], [GOING, WORLD], "world"),
        ({}, [], [], None),
    ],
)
def test_an_spa_belongs_by_label_else_by_controller_else_by_the_only_listing(
    labels: Wire, owners: list[Wire], listing: list[Wire], name: str | None
) -> None:
    one = {"metadata": {"name": "r1", "labels": labels, "ownerReferences": owners}}
    known = {"hello": HELLO, "world": WORLD, "going": GOING}
    assert rollout_name_of(one, known.get, listing) == name
