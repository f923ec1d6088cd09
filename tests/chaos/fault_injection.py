"""Fault injection: the fault of each request, as a function of a seed and of the request alone."""

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
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    DENIED = "denied by a webhook"
    GONE = "410"
    LOST = "never arrives"
    UNANSWERED = "stored, and the answer is lost"
    HELD = "stored, and the answer is too late"
    KILL_BEFORE = "the loop is ended before it"
    KILL_AFTER = "the loop is ended after it"
    CUT = "cut"
    EXPIRED = "ends with 410"
    TWICE = "every event twice"
    SWAPPED = "an older event after a newer"
    SILENT = "open without events"
    AWAY = "the API server is away"


_WRITES: Final = {
    Fault.SLOW: 4,
    Fault.CONFLICT: 3,
    Fault.TOO_MANY: 2,
    Fault.SERVER_ERROR: 2,
    Fault.UNAVAILABLE: 2,
    Fault.DENIED: 2,
    Fault.LOST: 3,
    Fault.UNANSWERED: 4,
    Fault.HELD: 1,
}
_READS: Final = {Fault.SLOW: 4, Fault.TOO_MANY: 2, Fault.SERVER_ERROR: 2, Fault.UNAVAILABLE: 2, Fault.LOST: 2}
_WATCHES: Final = {
    Fault.CUT: 4,
    Fault.EXPIRED: 2,
    Fault.GONE: 1,
    Fault.UNAVAILABLE: 1,
    Fault.TOO_MANY: 1,
    Fault.TWICE: 3,
    Fault.SWAPPED: 3,
    Fault.SILENT: 2,
}


_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault and its extent from 0 to 1: how slow, after how many events."""

    fault: Fault
    much: float = 0.0


NO_FAULT: Final = Injection(Fault.NONE)


WEBHOOK: Final = "webhook"
"""The name of the webhook among the clients; the others are loops."""


def request_of(method: str, path: str, *, watch: bool = False, who: str = "") -> str:
    """Verb and resource of a request, as ``patch stagepodautoscalers/status``; those of the webhook are named so."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    resource = "/".join([*rest[:1], *rest[2:3]])
    of_webhook = " (webhook)" if who == WEBHOOK else ""
    return f"{'watch' if watch else _VERBS.get(method, method.lower())} {resource}{of_webhook}"


class FaultInjector:
    """``rate`` is the share of writes that get a fault; for a watch it is doubled, for other reads a fifth.

    What happens to the n-th request of one kind about one object depends on the seed, that request and n, so that the
    order in which threads and processes get there changes little.
    """

    def __init__(self, seed: int, rate: float) -> None:
        self._seed = seed
        self.rate = rate
        self._lock = threading.Lock()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._deadline: tuple[int, Fault, str] | None = None
        self.met: Counter[tuple[Fault, str]] = Counter()
        """How often each fault met which request."""

    def interrupt_at(self, write: int, fault: Fault, who: str = "") -> None:
        """Kill or stop a process at its n-th write from now; writes of its lease do not count."""
        with self._lock:
            self._deadline = (write, fault, who)

    def cancel_interrupt(self) -> None:
        """Cancel ``interrupt_at``."""
        with self._lock:
            self._deadline = None

    def injection(self, method: str, path: str, *, watch: bool, who: str = "") -> Injection:
        """What happens to this request of that process."""
        with self._lock:
            injection = self._decided(method, path, who, watch=watch)
            self.met[injection.fault, request_of(method, path, watch=watch, who=who)] += 1
            return injection

    def away(self, method: str, path: str, *, watch: bool, who: str = "") -> None:
        """Count a request that finds no server."""
        with self._lock:
            self.met[Fault.AWAY, request_of(method, path, watch=watch, who=who)] += 1

    def _decided(self, method: str, path: str, who: str, *, watch: bool) -> Injection:
        writes = method != "GET"
        if writes and self._deadline is not None and "/leases" not in path:
            left, fault, whom = self._deadline
            if who == whom:
                self._deadline = (left - 1, fault, whom) if left > 1 else None
                if left == 1:
                    return Injection(fault)
        key = (method if not watch else "WATCH", path)
        self._numbers[key] += 1
        chance = random.Random(f"{self._seed} {key} {self._numbers[key]}")
        if chance.random() >= self.rate * (2.0 if watch else 1.0 if writes else 0.2):
            return NO_FAULT
        table = _WATCHES if watch else _WRITES if writes else _READS
        return Injection(chance.choices(list(table), weights=list(table.values()))[0], chance.random())
