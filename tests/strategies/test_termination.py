"""Terminating pods: removed now, looked at again later, or left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.objects import revision, spa_view
from webhook.strategies import TerminatingPod
from webhook.strategies.scale_down import is_held, plan_terminations

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def pod(seconds_left: float, grace: int | None) -> TerminatingPod:
    return TerminatingPod("default", "pod", "uid", "1", NOW + timedelta(seconds=seconds_left), grace)


@pytest.mark.parametrize(
    ("seconds_left", "grace", "held", "plan"),
    [
        pytest.param(-1, 30, False, [None], id="past its time: removed"),
        pytest.param(0, None, False, [None], id="at its time: removed"),
        pytest.param(600, 30, True, [None], id="a revision is held: removed at once"),
        pytest.param(600, None, True, [None], id="a revision is held, no grace period: removed at once"),
        pytest.param(600, None, False, [], id="no grace period: left alone"),
    ],
)
def test_terminating_pods(seconds_left: float, grace: int | None, held: bool, plan: list[float | None]) -> None:
    assert [wait for _, wait in plan_terminations([pod(seconds_left, grace)], held, NOW)] == plan


@pytest.mark.parametrize(
    ("seconds_left", "grace", "wait"),
    [
        pytest.param(600, 30, 30, id="the grace period is over first"),
        pytest.param(12.5, 30, 12.5, id="its time is over first"),
        pytest.param(0.2, 30, 1, id="not within a second"),
        pytest.param(600, 0, 1, id="not within a second, without any grace"),
    ],
)
def test_grace_left_is_what_is_waited_for(seconds_left: float, grace: int, wait: float) -> None:
    assert [seconds for _, seconds in plan_terminations([pod(seconds_left, grace)], False, NOW)] == [wait]


@pytest.mark.parametrize(
    ("bounds", "own", "held"),
    [
        pytest.param((0, 0), (2, 5), True, id="0/0: held"),
        pytest.param((0, 0), (None, None), True, id="0/0 of a revision without bounds: held"),
        pytest.param((0, 0), (None, 0), True, id="0/0 of a revision with no minimum: held"),
        pytest.param((0, 1), (2, 5), False, id="0/1: not held"),
        pytest.param((2, 0), (2, 5), False, id="a minimum: not held"),
    ],
)
def test_held_revision(bounds: tuple[int, int], own: tuple[int | None, int | None], held: bool) -> None:
    assert is_held(spa_view("up", *bounds), revision("up", minScale=own[0], maxScale=own[1])) is held


def test_zero_max_of_the_revision_itself_does_not_hold_it() -> None:
    assert not is_held(spa_view("up", 0, 0), revision("up", minScale=0, maxScale=0))


@pytest.mark.parametrize("bounds", [(None, None), (0, None), (None, 0)])
def test_no_panic_over_absent_bounds_and_nothing_held(bounds: tuple[int | None, int | None]) -> None:
    assert not is_held(spa_view("up", *bounds), revision("up", minScale=2))
