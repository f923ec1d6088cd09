"""Two loops at once: what happens to their leaders, and in which order."""

import random
from collections import Counter

import pytest

from tests.chaos.pair import FORMER, FREEZE, KILL, TERM, WAYS, in_turn


@pytest.mark.parametrize(
    ("first", "begin"),
    [
        pytest.param((), [FORMER], id="the former release is never left out"),
        pytest.param((FREEZE, FORMER), [FREEZE, FORMER], id="what was asked for"),
        pytest.param((FREEZE,), [FREEZE, FORMER], id="then the former release"),
    ],
)
def test_everything_happens_once(first: tuple[str, ...], begin: list[str]) -> None:
    order = in_turn(WAYS, first, random.Random(1))
    assert order[: len(begin)] == begin
    assert sorted(order) == sorted(WAYS)


def test_without_the_former_release_everything_else_happens() -> None:
    ways = {way: weight for way, weight in WAYS.items() if way != FORMER}
    assert sorted(in_turn(ways, (FORMER, KILL), random.Random(1))) == sorted(ways)


def test_the_order_is_another_with_another_seed_and_the_heavier_come_earlier() -> None:
    chances = Counter(in_turn(WAYS, (), random.Random(seed))[1] for seed in range(200))
    assert len(chances) == len(WAYS) - 1
    assert chances[KILL] > chances[TERM] > 0
