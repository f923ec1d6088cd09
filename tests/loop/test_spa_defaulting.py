"""Defaulting by the loop: an SPA and its RO before, the patch that fills in what is absent after."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.admission.reviews import LOOP, cache, patched, response_to
from tests.cluster.fake_api import merged
from tests.loop.world import entry
from webhook.api import RolloutOrchestrator, StagePodAutoscaler
from webhook.api.kinds import REVISION_LABEL, SERVICE_LABEL
from webhook.api.owner_reference import rollout_owner_reference
from webhook.api.wire import Wire
from webhook.loop.spa_reconciler import defaulting_patch, rollout_name_of

OWNER = rollout_owner_reference("hello", "u1")
LABELS = {REVISION_LABEL: "r1", SERVICE_LABEL: "hello"}
LONG = "h" * 64
LONG_OWNER = rollout_owner_reference(LONG, "u1")


def ro(name: str = "hello", /, **spec: Any) -> RolloutOrchestrator:
    return RolloutOrchestrator.from_dict({"metadata": {"namespace": "ns", "name": name, "uid": "u1"}, "spec": spec})


def spa(
    labels: Wire | None = None, owners: list[Wire] | None = None, name: str = "r1", **spec: Any
) -> StagePodAutoscaler:
    metadata = {"namespace": "ns", "name": name, "labels": labels or {}, "ownerReferences": owners or []}
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
        (
            spa(LABELS, [OWNER]),
            ro(targetRevisions=[entry("r1", 100, 2, 8), entry("r1", 0, None, 9, tag="next")]),
            {"spec": {"stageMinScale": 2, "stageMaxScale": 9}},
        ),
        (spa(LABELS, [OWNER]), ro(targetRevisions=[entry("r1", 100, -1, 8)]), {"spec": {"stageMaxScale": 8}}),
        (spa(LABELS, [{**OWNER, "controller": False}]), ro(), {}),
        (
            spa({}, [OWNER], name=LONG),
            ro(targetRevisions=[entry(LONG, 100)]),
            {"metadata": {"labels": {SERVICE_LABEL: "hello"}}},
        ),
        (spa({}, []), ro(LONG), {"metadata": {"labels": {REVISION_LABEL: "r1"}, "ownerReferences": [LONG_OWNER]}}),
    ],
    ids=[
        "a bare one",
        "a complete one",
        "one bound",
        "another controller",
        "an owner that is no controller",
        "one label",
        "a label that is set stays",
        "a fill that would contradict what is set",
        "a maximum of 0 is no limit",
        "an entry without bounds is never filled as 0",
        "an entry that states 0",
        "no entry",
        "the stage comes first",
        "the start comes last",
        "a revision that is listed twice",
        "a bound that is no number of replicas",
        "the rollout set as an owner that does not control",
        "a revision whose name is too long for a label",
        "a rollout whose name is too long for a label",
    ],
)
def test_rows(before: StagePodAutoscaler, rollout: RolloutOrchestrator, patch: Wire) -> None:
    assert defaulting_patch(before, rollout) == patch


BOUND = st.none() | st.integers(0, 4)


@given(BOUND, BOUND, BOUND, BOUND, st.booleans(), st.booleans())
def test_a_second_pass_fills_nothing_and_what_was_stated_stays(
    low: int | None, high: int | None, stage_low: int | None, stage_high: int | None, labelled: bool, owned: bool
) -> None:
    found = {k: v for k, v in (("stageMinScale", stage_low), ("stageMaxScale", stage_high)) if v is not None}
    before = spa(LABELS if labelled else {}, [OWNER] if owned else [], "r1", **found)
    rollout = ro(targetRevisions=[entry("r1", 100, low, high)])
    after = merged(before.to_dict(), defaulting_patch(before, rollout))
    assert defaulting_patch(StagePodAutoscaler.from_dict(after), rollout) == {}
    assert found.items() <= (after.get("spec") or {}).items()
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


@pytest.mark.parametrize(
    ("name", "rollout_name", "entries"),
    [
        ("r1", "hello", [entry("r1", 100, 2, 4)]),
        ("r1", "hello", [entry("r1", 100, 2), entry("r1", 0, None, 4, tag="next")]),
        ("r1", "hello", [entry("r1", 100, -1, 4)]),
        ("r1", "hello", [entry("r2", 100, 1, 1)]),
        (LONG, "hello", [entry(LONG, 100, 2, 4)]),
        ("r1", LONG, [entry("r1", 100, 2, 4)]),
    ],
    ids=["listed", "listed twice", "an invalid bound", "not listed", "a long revision name", "a long rollout name"],
)
def test_the_webhook_gives_the_same(name: str, rollout_name: str, entries: list[Wire]) -> None:
    rollout = {
        "metadata": {"name": rollout_name, "namespace": "default", "uid": "u1"},
        "spec": {"targetRevisions": entries},
    }
    labels = [None, {}, {SERVICE_LABEL: "hello"}, {REVISION_LABEL: "other"}, {"team": "x"}]
    owners = [None, [], [HPA_OWNER], [{**OWNER, "controller": False}], [OWNER], [{"uid": "u9", "name": "x"}]]
    bounds: list[Wire] = [{}, {"stageMinScale": 5}, {"stageMaxScale": 1}, {"stageMaxScale": 0}]
    for labelled, owned, spec in product(labels, owners, bounds):
        metadata = {"name": name, "namespace": "default", "labels": labelled, "ownerReferences": owned}
        before = {"apiVersion": "serving.knative.dev/v1", "kind": "StagePodAutoscaler", "spec": spec}
        before["metadata"] = {key: value for key, value in metadata.items() if value is not None}
        listing = [rollout] if entries[0]["revisionName"] == name else []
        by_webhook = patched(before, response_to(before, lookup=cache(rollout), user=LOOP))
        if rollout_name_of(before, {rollout_name: rollout}.get, listing) is None:
            assert "ownerReferences" not in before["metadata"] or by_webhook["metadata"]["ownerReferences"] == owned
            assert by_webhook["spec"] == spec
            continue
        patch = defaulting_patch(StagePodAutoscaler.from_dict(before), RolloutOrchestrator.from_dict(rollout))
        assert by_webhook == merged(before, patch), before
