"""Effective bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.api import TargetRevision
from webhook.planning import Bounds, breaks_stage, scale_bounds

BOUND = st.none() | st.integers(0, 2**31 - 1)


@pytest.mark.parametrize(
    ("revision", "stage", "effective"),
    [
        ((None, None), (None, None), (0, 0)),
        ((2, 10), (None, None), (2, 10)),
        ((2, 10), (1, 5), (1, 5)),
        # A stage bound can only lower.
        ((2, 10), (5, 20), (2, 10)),
        # Without a maximum of its own a revision has no limit, whatever the stage says.
        ((2, None), (2, 5), (2, 0)),
        ((2, 0), (2, 5), (2, 0)),
        # A maximum of 0 takes a limit away.
        ((2, 10), (0, 0), (0, 0)),
        # An absent minimum is 0 and cannot be raised.
        ((None, 10), (3, 10), (0, 10)),
    ],
)
def test_effective_bounds(
    revision: tuple[int | None, int | None], stage: tuple[int | None, int | None], effective: tuple[int, int]
) -> None:
    assert scale_bounds(*revision, *stage) == effective


@given(low=BOUND, high=BOUND, stage_low=BOUND, stage_high=BOUND)
def test_a_stage_never_raises_a_bound(
    low: int | None, high: int | None, stage_low: int | None, stage_high: int | None
) -> None:
    minimum, maximum = scale_bounds(low, high, stage_low, stage_high)
    assert minimum <= (low or 0)
    assert maximum <= (high or 0)
    assert scale_bounds(low, high, None, None) == (low or 0, high or 0)


UP = TargetRevision("r", direction="up", min_scale=2, max_scale=10)
DOWN = TargetRevision("r", direction="down", min_scale=2, max_scale=10)
STAY = TargetRevision("r", direction="stay", min_scale=2, max_scale=10)
UNLIMITED = TargetRevision("r", direction="up", min_scale=2)
UNBOUND_DOWN = TargetRevision("r", direction="down")


@pytest.mark.parametrize(
    ("entry", "wanted", "found", "breaks"),
    [
        pytest.param(UP, (1, 3), (1, 2), True, id="going up: fewer at most"),
        pytest.param(UP, (1, 3), (0, 3), True, id="going up: fewer at least"),
        pytest.param(UP, (1, 3), (1, 4), True, id="going up: more at most"),
        pytest.param(UP, (1, 3), (1, 0), True, id="going up: the cap is lifted by a 0"),
        pytest.param(UP, (1, 3), (1, None), True, id="going up: the cap is removed"),
        pytest.param(UP, (1, 3), (2, 3), True, id="going up: more at least, which is more than there is room for"),
        pytest.param(UP, (1, 3), (None, 3), True, id="going up: without a minimum its own counts, which is more"),
        pytest.param(DOWN, (1, 3), (2, 3), True, id="going down: more at least"),
        pytest.param(DOWN, (1, 3), (None, 3), True, id="going down: without a minimum its own counts"),
        pytest.param(DOWN, (1, 3), (1, 10), True, id="going down: more at most"),
        pytest.param(DOWN, (1, 3), (0, 1), True, id="going down: fewer than its traffic needs"),
        pytest.param(DOWN, (0, 1), (2, 10), True, id="gone, and brought back"),
        pytest.param(STAY, (2, 10), (1, 10), True, id="staying: fewer at least"),
        pytest.param(STAY, (1, 10), (2, 10), True, id="staying: more at least"),
        pytest.param(UP, (2, 10), (5, 10), False, id="a minimum above the revision's own"),
        pytest.param(UP, (2, 10), (2, 20), False, id="a maximum above the revision's own"),
        pytest.param(UP, (2, 10), (None, None), False, id="no bounds where the revision's own are wanted"),
        pytest.param(UNLIMITED, (2, None), (2, 5), False, id="a maximum without effect on a revision without a limit"),
        pytest.param(UNBOUND_DOWN, (0, 3), (2, 5), False, id="bounds without effect on a revision without any"),
        pytest.param(UP, (0, 0), (1, 3), True, id="held, and let go"),
        pytest.param(UNLIMITED, (0, 0), (0, 1), True, id="held, and let go by a bound without effect else"),
        pytest.param(UNLIMITED, (1, 3), (0, 0), True, id="held while it should run"),
        pytest.param(None, (0, 1), (1, 3), True, id="not in the rollout any more"),
    ],
)
def test_what_breaks_a_stage(entry: TargetRevision | None, wanted: Bounds, found: Bounds, breaks: bool) -> None:
    assert breaks_stage(entry, wanted, found) is breaks
