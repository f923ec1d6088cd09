"""The rate of pins: how many a Service may get, whoever asks for them."""

from collections.abc import Callable
from typing import Final

BURST: Final = 10
"""The most pins of one Service at once."""
SECONDS_EACH: Final = 6.0
"""The time after which a Service may get one more."""
_MOST_REMEMBERED: Final = 1024


class PinRate:
    """A token bucket for each Service. Those that are full again are forgotten, so that memory is bounded."""

    def __init__(self, monotonic: Callable[[], float], burst: int = BURST, seconds_each: float = SECONDS_EACH) -> None:
        self._monotonic = monotonic
        self._burst = burst
        self._seconds_each = seconds_each
        self._full_at: dict[tuple[str, str], float] = {}

    def take(self, namespace: str, service: str) -> bool:
        """True if the Service may get one more pin now, which then counts."""
        now, key = self._monotonic(), (namespace, service)
        full_at = max(self._full_at.get(key, now), now) + self._seconds_each
        if full_at - now > self._burst * self._seconds_each:
            return False
        if len(self._full_at) >= _MOST_REMEMBERED:
            self._full_at = {each: at for each, at in self._full_at.items() if at > now}
        self._full_at[key] = full_at
        return True

    @property
    def remembered(self) -> int:
        """The number of Services that are kept in memory."""
        return len(self._full_at)
