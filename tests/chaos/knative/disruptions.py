"""Disruptions of webhook and loop: killed, stopped for a while, ended in order, and started again."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.rig.stagegate import Stagegate

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


class Disruptions:
    """``step`` is to be called again and again with the time in seconds; ``every`` is the mean time between two.

    ``met`` counts them by process and way; ``problems`` says which process ended by itself.
    """

    def __init__(self, stagegate: Stagegate, chance: random.Random, every: float, tell: Callable[[str], None]) -> None:
        self._stagegate, self._chance, self._every, self._tell = stagegate, chance, every, tell
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}
        self._next = 0.0
        self.met: Counter[str] = Counter()
        self.problems: list[str] = []

    @property
    def kills(self) -> int:
        return self.met[f"{WEBHOOK} killed"] + self.met[f"{LOOP} killed"]

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
        for which, (due, action) in list(self._due.items()):
            if due <= now:
                del self._due[which]
                action()

    def _disrupt(self, which: str, way: str, now: float) -> None:
        process = self._stagegate.webhook if which == WEBHOOK else self._stagegate.loop
        assert process is not None
        if not process.running:
            self.problems.append(f"the {which} ended by itself: {process.last_words()}")
            self._start(which)
            return
        self.met[f"{which} {way}"] += 1
        if way == "stopped":
            seconds = self._chance.uniform(0.3, _STOPPED[which])
            self._stagegate.hang(process)
            self._due[which] = now + seconds, lambda: self._resume(which)
        else:
            seconds = self._chance.uniform(0.0, _AWAY[which])
            self._stagegate.kill(process) if way == "killed" else process.stop(20)
            self._due[which] = now + seconds, lambda: self._start(which)
        self._tell(f"the {which} is {way}, for {seconds:.1f} s")

    def _start(self, which: str) -> None:
        self._tell(f"the {which} starts")
        if which == WEBHOOK:
            self._stagegate.begin_webhook()
        else:
            self._stagegate.start_loop(LEASE)

    def _resume(self, which: str) -> None:
        self._tell(f"the {which} goes on")
        process = self._stagegate.webhook if which == WEBHOOK else self._stagegate.loop
        assert process is not None
        self._stagegate.resume(process)
