"""The spellings of the two strategies."""

import pytest

from webhook.strategies import AVAILABILITY_STRATEGY, RESOURCE_UTIL_STRATEGY, normalise_strategy


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


def test_strategies_have_upstreams_words() -> None:
    assert (AVAILABILITY_STRATEGY, RESOURCE_UTIL_STRATEGY) == ("availability", "resourceutil")
