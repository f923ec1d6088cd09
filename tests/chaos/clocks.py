"""Clocks: by how much the wall clock of each process was wrong, and when."""

import random
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.chaos.fault_injection import WEBHOOK
from tests.chaos.ground import Span

WRONG: Final = "the loop's wall clock is wrong"
WEBHOOK_WRONG: Final = "the webhook's wall clock is wrong"
_JUMPS: Final = (-259_200.0, -3_600.0, -90.0, -5.0, 0.0, 0.0, 5.0, 90.0, 3_600.0, 259_200.0)
_UNDER_WAY_SECONDS: Final = 60.0
"""A write that arrives may have been decided on so long before."""


@dataclass
class Clocks:
    """Every jump, by process: when it came, by ``time.monotonic``, and by how many seconds it is wrong from then on."""

    chance: random.Random
    every: float
    jumps: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def jump(self, turn_seconds: float) -> float | None:
        """By how much the next clock is wrong from now on; None for no jump in this turn."""
        return self.chance.choice(_JUMPS) if self.chance.random() < turn_seconds / self.every else None

    def note(self, who: str, at: float, wrong_by: float) -> None:
        with self._lock:
            self.jumps.setdefault(who, []).append((at, wrong_by))

    def believed(self, who: str, at: float) -> timedelta:
        """By how much it was ahead at most while a write that arrived at this time was decided on and sent."""
        jumps = self.jumps.get(who, [])
        before = [wrong for when, wrong in jumps if when <= at - _UNDER_WAY_SECONDS][-1:] or [0.0]
        meanwhile = [wrong for when, wrong in jumps if at - _UNDER_WAY_SECONDS < when <= at]
        return timedelta(seconds=max(0.0, *before, *meanwhile))

    def spans(self, end: float) -> list[Span]:
        """When which clock was wrong; every write goes through the webhook."""
        found = []
        for who, jumps in self.jumps.items():
            ends = [when for when, _ in jumps[1:]] + [end]
            what, whose = (WEBHOOK_WRONG, "") if who == WEBHOOK else (WRONG, who)
            found += [
                Span(what, began, ended, whose) for (began, wrong), ended in zip(jumps, ends, strict=True) if wrong
            ]
        return found


def set_clock(file: Path, wrong_by: float) -> None:
    """Let the wall clock of the process that reads this file be wrong by so many seconds from now on."""
    written = file.with_suffix(".new")
    written.write_text(str(wrong_by))
    written.replace(file)
