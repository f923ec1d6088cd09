"""Fire: which request meets with which fault, as a function of a seed and of the request alone."""

import random
import threading
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Fault(Enum):
    """What happens to a request."""

    NONE = "none"
    SLOW = "slow"
    CONFLICT = "409"
    PATIENCE = "429"
    BROKEN = "500"
    AWAY = "503"
    DENIED = "denied by a webhook"
    GONE = "410"
    LOST = "never arrives"
    UNANSWERED = "is stored, and the answer is lost"
    HELD = "is stored, and the answer comes too late"
    KILL_BEFORE = "the loop is struck before it"
    KILL_AFTER = "the loop is struck after it"
    CUT = "a watch is cut"
    EXPIRED = "a watch ends with 410"
    TWICE = "a watch tells everything twice"
    SWAPPED = "a watch tells an older thing after a newer one"


_WRITES: Final = {
    Fault.SLOW: 4,
    Fault.CONFLICT: 3,
    Fault.PATIENCE: 2,
    Fault.BROKEN: 2,
    Fault.AWAY: 2,
    Fault.DENIED: 2,
    Fault.LOST: 3,
    Fault.UNANSWERED: 4,
    Fault.HELD: 1,
}
_READS: Final = {Fault.SLOW: 4, Fault.PATIENCE: 2, Fault.BROKEN: 2, Fault.AWAY: 2, Fault.LOST: 2}
_WATCHES: Final = {
    Fault.CUT: 4,
    Fault.EXPIRED: 2,
    Fault.GONE: 1,
    Fault.AWAY: 1,
    Fault.PATIENCE: 1,
    Fault.TWICE: 3,
    Fault.SWAPPED: 3,
}


@dataclass(frozen=True, slots=True)
class Fate:
    """A fault, and a number from 0 to 1 that says how much of it: how slow, after how many events."""

    fault: Fault
    much: float = 0.0


UNHARMED: Final = Fate(Fault.NONE)


class Fire:
    """``rate`` is the part of requests that meet with a fault; a watch does twice as often, another read
    five times less often.

    What happens to the n-th request of one kind about one object depends on the seed, that request and n, so that the
    order in which threads and processes get there changes little.
    """

    def __init__(self, seed: int, rate: float) -> None:
        self._seed = seed
        self.rate = rate
        self._lock = threading.Lock()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._deadline: tuple[int, Fault, str] | None = None
        self.met: Counter[Fault] = Counter()

    def strike_at(self, write: int, fault: Fault, who: str = "") -> None:
        """Strike a process at its so-many-th write from now, that of its lease apart."""
        with self._lock:
            self._deadline = (write, fault, who)

    def spare(self) -> None:
        """Strike no more."""
        with self._lock:
            self._deadline = None

    def fate(self, method: str, path: str, *, watch: bool, who: str = "") -> Fate:
        """What happens to this request of that process."""
        with self._lock:
            fate = self._decided(method, path, who, watch=watch)
            self.met[fate.fault] += 1
            return fate

    def _decided(self, method: str, path: str, who: str, *, watch: bool) -> Fate:
        writes = method != "GET"
        if writes and self._deadline is not None and "/leases" not in path:
            left, fault, whom = self._deadline
            if who == whom:
                self._deadline = (left - 1, fault, whom) if left > 1 else None
                if left == 1:
                    return Fate(fault)
        key = (method if not watch else "WATCH", path)
        self._numbers[key] += 1
        chance = random.Random(f"{self._seed} {key} {self._numbers[key]}")
        if chance.random() >= self.rate * (2.0 if watch else 1.0 if writes else 0.2):
            return UNHARMED
        table = _WATCHES if watch else _WRITES if writes else _READS
        return Fate(chance.choices(list(table), weights=list(table.values()))[0], chance.random())
