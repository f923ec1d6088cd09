"""How admission is set up: who the controllers are, and whether findings deny."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Enforcement = Literal["deny", "warn"]

ENFORCEMENT_BY_WORD: Final[Mapping[str, Enforcement]] = {
    **dict.fromkeys(("deny", "Deny", "DENY"), "deny"),
    **dict.fromkeys(("warn", "Warn", "WARN"), "warn"),
}
"""The words that a namespace's label may state; the policies know the same, and can only list them."""

DEFAULT_CONTROLLERS: Final = frozenset(
    {
        "system:serviceaccount:knative-serving:controller",
        "system:serviceaccount:stagegate-system:stagegate-loop",
    }
)
"""Upstream's controllers and autoscaler share the first account; the companion loop has the second."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``controllers`` are user names. ``max_cache_age`` is in seconds: nothing is filled in from an older cache.

    ``enforce`` holds where the namespace's own label does not say otherwise.
    """

    enforce: Enforcement = "deny"
    allow_override: bool = True
    controllers: frozenset[str] = DEFAULT_CONTROLLERS
    max_cache_age: float = 60.0
