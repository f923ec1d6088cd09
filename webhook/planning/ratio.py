"""The over-consumption ratio: how many percent more replicas a stage may ask for."""

from typing import Final

from webhook.planning.plan import Note

MIN_RATIO: Final = 1
MAX_RATIO: Final = 100


def held_ratio(ratio: int) -> tuple[int, tuple[Note, ...]]:
    """The ratio, limited to 1 to 100, and a note if it was outside. Upstream accepts any number."""
    held = min(max(ratio, MIN_RATIO), MAX_RATIO)
    if held == ratio:
        return ratio, ()
    message = f"over-consumption-ratio: {ratio} is outside {MIN_RATIO} to {MAX_RATIO}; {held} is used instead"
    return held, (Note("RatioHeld", message),)
