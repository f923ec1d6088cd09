"""Disruptions of webhook and loop: killed, stopped for a while, ended in order, and started again."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.rig.stagegate import Stagegate
from tests.rig.timeline import Change

WEBHOOK: Final = "webhook"
LOOP: Final = "loop"
LEASE: Final = "--lease-duration=3"
"""A loop that was killed holds its lease for so long."""

_WAYS: Final = {
    (WEBHOOK, "killed"): 20,
    (WEBHOOK, "stopped"): 15,
    (LOOP, "killed"): 30,
    (LOOP, "stopped"): 15,
    (LOOP, "asked to end"): 5,
}
_AWAY: Final = {WEBHOOK: 4.0, LOOP: 3.0}
"""The most seconds for which a process that ended is not started again."""
_STOPPED: Final = {WEBHOOK: 5.0, LOOP: 8.0}
"""The most seconds for which a process is stopped: more than the time-outs of the calls, and than a lease."""


_TOLD: Final = ("services", "revisions", "routes", "rolloutorchestrators", "pods")
_AFTER: Final = 5.0
"""Seconds after its end for which a disruption may be the reason of something."""


@dataclass
class Disruption:
    """Webhook or loop from when it was disrupted until it was started again or resumed, Unix times."""

    which: str
    way: str
    began: float
    ended: float = float("inf")

    def __str__(self) -> str:
        return f"{self.which} {self.way}"

    def met(self, at: float) -> bool:
        """True of a time in the middle of it."""
        return self.began <= at <= self.ended


def around(disruptions: Iterable[Disruption], at: float) -> str:
    """The disruptions that a write of this time met, or that had ended shortly before it."""
    found = [
        f"{each} {at - each.began:.1f} s before"
        + ("" if each.met(at) else f", back after {each.ended - each.began:.1f} s")
        for each in disruptions
        if each.began <= at <= each.ended + _AFTER
    ]
    return "; ".join(found) or "nothing was disrupted"


def writes_met(disruptions: Iterable[Disruption], changes: Iterable[Change]) -> dict[str, Counter[str]]:
    """How many writes to the objects of rollouts, and of pods, each kind of disruption met; those that were stored."""
    found: dict[str, Counter[str]] = {}
    changes = [change for change in changes if change.plural in _TOLD]
    for each in disruptions:
        met = found.setdefault(str(each), Counter())
        met.update(f"{change.plural} {change.kind.lower()}" for change in changes if each.met(change.at))
    return found


class Disruptions:
    """``step`` is to be called again and again with the time in seconds; ``every`` is the mean time between two.

    ``all`` are those so far; ``problems`` says which process ended by itself.
    """

    def __init__(self, stagegate: Stagegate, chance: random.Random, every: float, log: Callable[[str], None]) -> None:
        self._stagegate, self._chance, self._every, self._log = stagegate, chance, every, log
        self._due: dict[str, tuple[float, Callable[[], None], Disruption]] = {}
        self._next = 0.0
        self.all: list[Disruption] = []
        self.problems: list[str] = []

    @property
    def kills(self) -> int:
        return sum(each.way == "killed" for each in self.all)

    def step(self, now: float) -> None:
        """Disrupt what is due, and start or resume what was disrupted long enough."""
        self._end_due(now)
        if not self._next:
            self._next = now + self._chance.expovariate(1.0 / self._every)
        if now < self._next:
            return
        self._next = now + self._chance.expovariate(1.0 / self._every)
        which, way = self._chance.choices(list(_WAYS), list(_WAYS.values()))[0]
        if which not in self._due:
            self._disrupt(which, way, now)

    def end(self) -> None:
        """Disrupt nothing any more: return when both run and answer."""
        self._end_due(float("inf"))
        self._stagegate.await_registrations()

    def _end_due(self, now: float) -> None:
        for which, (due, action, disruption) in list(self._due.items()):
            if due <= now:
                del self._due[which]
                action()
                disruption.ended = time.time()

    def _disrupt(self, which: str, way: str, now: float) -> None:
        process = self._stagegate.webhook if which == WEBHOOK else self._stagegate.loop
        assert process is not None
        if not process.running:
            self.problems.append(f"the {which} ended by itself: {process.last_words()}")
            self._start(which)
            return
        self.all.append(disruption := Disruption(which, way, time.time()))
        if way == "stopped":
            seconds = self._chance.uniform(0.3, _STOPPED[which])
            self._stagegate.hang(process)
            self._due[which] = now + seconds, lambda: self._resume(which), disruption
        else:
            seconds = self._chance.uniform(0.0, _AWAY[which])
            self._stagegate.kill(process) if way == "killed" else process.stop(20)
            self._due[which] = now + seconds, lambda: self._start(which), disruption
        self._log(f"the {which} is {way}, for {seconds:.1f} s")

    def _start(self, which: str) -> None:
        self._log(f"the {which} starts")
        if which == WEBHOOK:
            self._stagegate.begin_webhook()
        else:
            self._stagegate.start_loop(LEASE)

    def _resume(self, which: str) -> None:
        self._log(f"the {which} goes on")
        process = self._stagegate.webhook if which == WEBHOOK else self._stagegate.loop
        assert process is not None
        self._stagegate.resume(process)
