"""Clocks, which are passed in everywhere: wall clock, monotonic clock, and boot clock."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock in UTC, for times that people and other machines read."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, for durations."""
        ...

    def boottime(self) -> float:
        """Seconds of a clock that also runs while the process is stopped or the machine sleeps, for leases."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        # Only Linux has this clock. Elsewhere the monotonic clock runs on in a stopped process too.
        clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(clock)
