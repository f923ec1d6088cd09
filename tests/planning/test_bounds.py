"""Effective bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.planning import scale_bounds

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
