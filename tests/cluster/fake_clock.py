"""A clock that moves only when a test says so."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class FakeClock:
    """All three clocks at once. ``skew`` moves the time of day alone, as a clock step does."""

    elapsed: float = 0.0
    skew: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed + self.skew)

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed

    def boottime(self) -> float:
        return 5000.0 + self.elapsed

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds
