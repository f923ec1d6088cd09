"""Time, passed in everywhere: a clock for people, one for durations, and one that a stopped process cannot stop."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time of day, UTC; for what people and other machines read."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow; for durations."""
        ...

    def boottime(self) -> float:
        """Seconds that only grow, also while this process is stopped or the machine sleeps; for leases."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        # Other systems than Linux have no such clock; there the monotonic one runs on in a stopped process too.
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(clock)
