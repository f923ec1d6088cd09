"""The bounds of a revision: at its start, on its way up, on its way down."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.objects import entry, revision, rollout, spa, spa_view
from webhook.api import InvalidRollout, StagePodAutoscaler, TargetRevision
from webhook.api.kinds import MAX_INT32
from webhook.strategies import (
    create_base_stage_pod_autoscaler,
    update_spa_for_rev_down,
    update_spa_for_rev_up,
)
from webhook.strategies.stage_bounds import not_below

REV = "hello-00002"
NUMBERS = st.none() | st.integers(-2, 6)
ENTRIES = st.builds(
    lambda percent, target, minimum, maximum: revision(
        REV, percent, targetReplicas=target, minScale=minimum, maxScale=maximum
    ),
    st.none() | st.sampled_from([0, 50, 100]),
    NUMBERS,
    NUMBERS,
    NUMBERS,
)


def bounds(of: StagePodAutoscaler) -> tuple[int | None, int | None]:
    return of.stage_min_scale, of.stage_max_scale


def test_a_new_spa_is_labelled_owned_and_bounded_like_its_entry() -> None:
    ro = rollout([], labels={"team": "b"})
    assert create_base_stage_pod_autoscaler(ro, revision(REV, 100, minScale=2)).to_dict() == {
        "metadata": {
            "name": REV,
            "namespace": "default",
            "labels": {"serving.knative.dev/revision": REV, "serving.knative.dev/service": "hello"},
            "ownerReferences": [
                {
                    "apiVersion": "serving.knative.dev/v1",
                    "kind": "RolloutOrchestrator",
                    "name": "hello",
                    "uid": "uid-hello",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"stageMinScale": 2},
    }


@pytest.mark.parametrize(
    ("minimum", "maximum", "spec"),
    [(None, None, None), (0, 0, {"stageMinScale": 0, "stageMaxScale": 0}), (None, 3, {"stageMaxScale": 3})],
)
def test_a_new_spa_tells_an_absent_bound_from_0(minimum: int | None, maximum: int | None, spec: Any) -> None:
    made = create_base_stage_pod_autoscaler(rollout([]), revision(REV, minScale=minimum, maxScale=maximum))
    assert made.to_dict().get("spec") == spec


def test_a_new_spa_without_revision_name_keeps_the_empty_label() -> None:
    metadata = create_base_stage_pod_autoscaler(rollout([]), TargetRevision()).to_dict()["metadata"]
    assert "name" not in metadata
    assert metadata["labels"]["serving.knative.dev/revision"] == ""


@pytest.mark.parametrize(
    ("rev", "wanted"),
    [
        pytest.param(entry(REV, 20, minScale=2, maxScale=5), (2, 5), id="no target: the bounds of the entry"),
        pytest.param(entry(REV, 20, minScale=4, targetReplicas=1), (1, None), id="target below the minimum"),
        pytest.param(entry(REV, 20, minScale=4, targetReplicas=4), (4, None), id="target at the minimum"),
        pytest.param(entry(REV, None, minScale=4, targetReplicas=4), (4, None), id="and without percent"),
        pytest.param(entry(REV, 100, minScale=4, targetReplicas=1), (4, None), id="all the traffic: the minimum"),
        pytest.param(entry(REV, 99, targetReplicas=-1), (-1, None), id="a negative target is below an absent minimum"),
        pytest.param(entry(REV, None, minScale=4, targetReplicas=9), (4, None), id="no percent, where none is needed"),
        pytest.param(entry(REV, 20, maxScale=0), (None, 0), id="a maximum of 0 is copied"),
        pytest.param(entry("  ", 20, "down", minScale=1), (1, None), id="neither name nor direction matter"),
    ],
)
def test_bounds_on_the_way_up(rev: Any, wanted: tuple[int | None, int | None]) -> None:
    for ready in (True, False):
        assert bounds(update_spa_for_rev_up(spa_view(REV, 7, 7), TargetRevision.from_dict(rev), ready)) == wanted


def test_no_panic_going_up_below_the_minimum_without_percent() -> None:
    with pytest.raises(InvalidRollout, match="percent") as caught:
        update_spa_for_rev_up(spa_view(REV), revision(REV, minScale=4, targetReplicas=1), False)
    assert caught.value.field == "percent"


@pytest.mark.parametrize(
    ("rev", "wanted"),
    [
        pytest.param(entry("  ", 20, targetReplicas=1), (7, 8), id="blank name: unchanged"),
        pytest.param(entry(REV, None, minScale=2, targetReplicas=3), (0, 1), id="no percent: on its way to nothing"),
        pytest.param(entry(REV, 20, minScale=2, maxScale=5), (2, 5), id="no target: the bounds of the entry"),
        pytest.param(entry(REV, 20), (None, None), id="no target, no bounds"),
        pytest.param(entry(REV, 20, minScale=2, maxScale=5, targetReplicas=5), (2, 5), id="target at the maximum"),
        pytest.param(entry(REV, 20, targetReplicas=MAX_INT32), (None, None), id="target at the largest maximum"),
        pytest.param(entry(REV, 20, minScale=2, targetReplicas=0), (0, 1), id="target 0"),
        pytest.param(entry(REV, 20, minScale=4, targetReplicas=3), (3, 3), id="target below the minimum"),
        pytest.param(entry(REV, 20, minScale=2, targetReplicas=3), (2, 3), id="target above the minimum"),
        pytest.param(entry(REV, 20, targetReplicas=3), (None, 3), id="no minimum"),
    ],
)
def test_bounds_on_the_way_down(rev: Any, wanted: tuple[int | None, int | None]) -> None:
    assert bounds(update_spa_for_rev_down(spa_view(REV, 7, 8), TargetRevision.from_dict(rev), True)) == wanted


@pytest.mark.parametrize(
    ("rev", "wanted"),
    [
        pytest.param(entry(REV, 20, maxScale=0, targetReplicas=3), (None, 3), id="the target limits"),
        pytest.param(entry(REV, 20, minScale=2, maxScale=0, targetReplicas=0), (0, 1), id="target 0"),
        pytest.param(entry(REV, 20, minScale=2, maxScale=0), (2, 0), id="no target: the 0 is copied"),
    ],
)
def test_zero_max_is_no_limit_on_the_way_down(rev: Any, wanted: tuple[int | None, int | None]) -> None:
    assert bounds(update_spa_for_rev_down(spa_view(REV, 7, 8), TargetRevision.from_dict(rev), True)) == wanted


@given(ENTRIES)
def test_nothing_comes_down_before_what_goes_up_is_ready(rev: TargetRevision) -> None:
    before = spa_view(REV, 7, 8)
    assert update_spa_for_rev_down(before, rev, False) == before


@given(ENTRIES, st.booleans())
def test_the_argument_is_not_changed_and_all_but_the_bounds_is_kept(rev: TargetRevision, ready: bool) -> None:
    data = {**spa(REV, 7, 8, desired=1), "unknown": {"kept": True}}
    before = StagePodAutoscaler.from_dict(data)
    for update in (update_spa_for_rev_up, update_spa_for_rev_down):
        try:
            after = update(before, rev, ready).to_dict()
        except InvalidRollout:
            continue
        assert before.to_dict() == data
        assert {**after, "spec": None} == {**deepcopy(data), "spec": None}


@given(ENTRIES, st.booleans())
def test_a_second_update_changes_nothing(rev: TargetRevision, ready: bool) -> None:
    for update in (update_spa_for_rev_up, update_spa_for_rev_down):
        try:
            once = update(spa_view(REV, 7, 8), rev, ready)
        except InvalidRollout:
            continue
        assert update(once, rev, ready) == once


@pytest.mark.parametrize(
    ("wanted", "present", "after"),
    [
        pytest.param((2, 5), (5, 9), (5, 9), id="lower"),
        pytest.param((7, 12), (5, 9), (7, 12), id="higher"),
        pytest.param((7, 5), (5, 9), (7, 9), id="each bound by itself"),
        pytest.param((2, 5), (None, None), (None, None), id="those of the revision"),
        pytest.param((None, None), (5, 9), (None, None), id="to those of the revision"),
        pytest.param((2, 5), (0, 0), (2, 0), id="no limit"),
        pytest.param((2, 0), (1, 9), (2, 0), id="to no limit"),
    ],
)
def test_bounds_that_are_not_to_be_lowered_yet(
    wanted: tuple[int | None, int | None],
    present: tuple[int | None, int | None],
    after: tuple[int | None, int | None],
) -> None:
    changed = not_below(spa_view("hello-00001", *wanted), *present)
    assert (changed.stage_min_scale, changed.stage_max_scale) == after
