"""Exponential backoff with jitter."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays that double from ``base`` to ``cap`` seconds, each lengthened by up to ``jitter`` of itself.

    ``random`` returns numbers from 0 up to 1.
    """

    random: Callable[[], float]
    base: float = 1.0
    cap: float = 30.0
    jitter: float = 1.0
    _failures: int = field(default=0, init=False)

    def next(self, at_least: float | None = None) -> float:
        """The delay after another failure, at least ``at_least`` seconds."""
        delay = min(self.base * 2.0 ** min(self._failures, 60), self.cap)
        self._failures += 1
        return max(delay * (1.0 + self.jitter * self.random()), at_least or 0.0)

    def reset(self) -> None:
        self._failures = 0
