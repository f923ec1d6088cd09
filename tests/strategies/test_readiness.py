"""Whether a revision has come far enough, up or down."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.objects import entry, revision, spa_view
from webhook.api import TargetRevision
from webhook.strategies import is_stage_scale_down_ready, is_stage_scale_up_ready

REV = "hello-00002"
SCALES = st.integers(0, 8)
NUMBERS = st.none() | SCALES


@pytest.mark.parametrize(
    ("rev", "desired", "actual", "ready"),
    [
        pytest.param(entry(REV), None, 3, False, id="no desired scale"),
        pytest.param(entry(REV), 3, None, False, id="no actual scale"),
        pytest.param(entry(REV), 0, 0, True, id="no target, no bounds"),
        pytest.param(entry(REV, minScale=2), 9, 1, False, id="no target: below the minimum"),
        pytest.param(
            entry(REV, minScale=2, maxScale=4), 0, 2, True, id="no target: the desired scale is not looked at"
        ),
        pytest.param(entry(REV, minScale=2, maxScale=4), 4, 5, False, id="no target: above the maximum"),
        pytest.param(entry(REV, minScale=5, targetReplicas=3), 3, 3, True, id="both scales reach the target"),
        pytest.param(entry(REV, minScale=5, targetReplicas=3), 2, 3, False, id="the desired scale does not"),
        pytest.param(entry(REV, minScale=5, targetReplicas=3), 3, 2, False, id="the actual scale does not"),
        pytest.param(entry(REV, minScale=2, targetReplicas=6), 2, 2, True, id="a lower minimum is enough"),
        pytest.param(entry(REV, minScale=2, targetReplicas=6), 2, 1, False, id="and needed"),
        pytest.param(entry(REV, targetReplicas=6), 0, 0, True, id="no minimum: without any replica"),
    ],
)
def test_scale_up_ready(rev: Any, desired: int | None, actual: int | None, ready: bool) -> None:
    seen = spa_view(REV, desired=desired, actual=actual)
    assert is_stage_scale_up_ready(seen, TargetRevision.from_dict(rev)) is ready


@pytest.mark.parametrize(
    ("rev", "desired", "actual", "ready"),
    [
        pytest.param(entry(REV), None, 0, False, id="no desired scale"),
        pytest.param(entry(REV), 0, None, False, id="no actual scale"),
        pytest.param(entry(REV), 9, 9, True, id="no target, no maximum"),
        pytest.param(entry(REV, maxScale=4), 4, 4, True, id="no target: at the maximum"),
        pytest.param(entry(REV, maxScale=4), 5, 4, False, id="no target: wants more than the maximum"),
        pytest.param(entry(REV, targetReplicas=2), 2, 2, True, id="at the target"),
        pytest.param(entry(REV, targetReplicas=2), 3, 2, False, id="wants more than the target"),
        pytest.param(entry(REV, targetReplicas=2), 2, 3, False, id="runs more than the target"),
        pytest.param(entry(REV, targetReplicas=2, maxScale=1), 2, 2, True, id="the target before the maximum"),
    ],
)
def test_scale_down_ready(rev: Any, desired: int | None, actual: int | None, ready: bool) -> None:
    seen = spa_view(REV, desired=desired, actual=actual)
    assert is_stage_scale_down_ready(seen, TargetRevision.from_dict(rev)) is ready


@given(SCALES, SCALES, NUMBERS, NUMBERS)
def test_zero_max_is_an_absent_maximum(desired: int, actual: int, minimum: int | None, target: int | None) -> None:
    seen = spa_view(REV, desired=desired, actual=actual)
    zero = revision(REV, minScale=minimum, maxScale=0, targetReplicas=target)
    absent = revision(REV, minScale=minimum, targetReplicas=target)
    for ready in (is_stage_scale_up_ready, is_stage_scale_down_ready):
        assert ready(seen, zero) is ready(seen, absent)


@given(SCALES, SCALES, NUMBERS, NUMBERS)
def test_fewer_replicas_never_undo_scale_down(desired: int, actual: int, target: int | None, top: int | None) -> None:
    rev = revision(REV, targetReplicas=target, maxScale=top)
    if is_stage_scale_down_ready(spa_view(REV, desired=desired, actual=actual), rev):
        assert is_stage_scale_down_ready(spa_view(REV, desired=desired // 2, actual=actual // 2), rev)
