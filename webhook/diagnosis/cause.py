"""Cause: one reason why a rollout stands still or is slow, as a value."""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Final, Literal

Effect = Literal["stops", "pauses", "delays", "informs"]
STOPS: Final[Effect] = "stops"
"""The rollout does not go on unless somebody does something, or what it lacks appears."""
PAUSES: Final[Effect] = "pauses"
"""Somebody wants the rollout to stand."""
DELAYS: Final[Effect] = "delays"
"""The rollout goes on by itself once this is over."""
INFORMS: Final[Effect] = "informs"
"""The rollout goes on; something about it is not as it should be."""


@dataclass(frozen=True, slots=True)
class Cause:
    """``says`` is one line with the numbers on both sides; ``since`` is when it began, None if that is not known.

    ``way_out`` is what a person can do, ``next`` what happens by itself; either may be empty. ``about`` names the
    object, as ``Pod hello-00002-x``.
    """

    id: str
    effect: Effect
    _: KW_ONLY
    says: str
    about: str = ""
    since: datetime | None = None
    way_out: str = ""
    next: str = ""
