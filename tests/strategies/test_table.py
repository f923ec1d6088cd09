"""The table of strategies, and how the name of one may be spelt."""

import pytest

from webhook.api.conditions import STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY, STAGE_TRAFFIC_READY
from webhook.strategies import (
    AVAILABILITY_STRATEGY,
    RESOURCE_UTIL_STRATEGY,
    STRATEGIES,
    normalise_strategy,
    strategy_named,
)


@pytest.mark.parametrize(
    ("spelling", "strategy"),
    [
        ("availability", AVAILABILITY_STRATEGY),
        ("resourceutil", RESOURCE_UTIL_STRATEGY),
        ("ResourceUtil", RESOURCE_UTIL_STRATEGY),
        (" resourceutil\n", RESOURCE_UTIL_STRATEGY),
        ("", AVAILABILITY_STRATEGY),
        ("   ", AVAILABILITY_STRATEGY),
        ("blue-green", AVAILABILITY_STRATEGY),
        ("resource util", AVAILABILITY_STRATEGY),
    ],
)
def test_strategy_spelling_is_read_trimmed_and_in_any_case(spelling: str, strategy: str) -> None:
    assert normalise_strategy(spelling) == strategy


@pytest.mark.parametrize(
    ("name", "conditions", "goes_up_first", "holds_at_zero", "force_deletes_pods"),
    [
        ("availability", [STAGE_SCALE_UP_READY, STAGE_TRAFFIC_READY, STAGE_SCALE_DOWN_READY], True, False, False),
        ("resourceutil", [STAGE_SCALE_DOWN_READY, STAGE_SCALE_UP_READY, STAGE_TRAFFIC_READY], False, True, True),
    ],
)
def test_each_row_of_the_table_is_what_upstream_does_and_moves_traffic_before_what_it_leaves_goes(
    name: str, conditions: list[str], goes_up_first: bool, holds_at_zero: bool, force_deletes_pods: bool
) -> None:
    strategy = strategy_named(name)
    assert strategy.name == name
    assert [step.condition for step in strategy.steps] == conditions
    assert strategy.goes_up_first is goes_up_first
    assert (strategy.holds_at_zero, strategy.force_deletes_pods) == (holds_at_zero, force_deletes_pods)


def test_the_table_has_no_other_strategies() -> None:
    assert list(STRATEGIES) == ["availability", "resourceutil"]
