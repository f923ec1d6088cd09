"""The two strategies: which comes first, the revisions that go up or those that go down."""

from typing import Final

from webhook.api.word import word_of

AVAILABILITY_STRATEGY: Final = "availability"
"""Up, then down: replicas are doubled for a while, capacity never drops."""
RESOURCE_UTIL_STRATEGY: Final = "resourceutil"
"""Down, then up: capacity drops for a while, replicas are never doubled."""


def normalise_strategy(spelling: str) -> str:
    """The strategy that a spelling means: blanks cut, case ignored; unknown or blank is availability.

    Upstream keeps blanks, and forces deletions only under the literal ``resourceutil``.
    """
    word = word_of(spelling)
    return word if word == RESOURCE_UTIL_STRATEGY else AVAILABILITY_STRATEGY
