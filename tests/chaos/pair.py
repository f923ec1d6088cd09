"""Two loops at once, of which one leads, and disruptions of the one that leads."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.fault_injection import Fault
from tests.chaos.ground import Span
from tests.chaos.life import Life
from tests.chaos.scene import Scene
from webhook.cluster.client import Client
from webhook.cluster.errors import ApiError
from webhook.cluster.lease import LeaseTimes, held_by
from webhook.cluster.resource import LEASES

KILL: Final = "killed"
TERM: Final = "asked-to-end"
FREEZE: Final = "stopped"
PAUSE: Final = "paused"
REFUSE: Final = "not-renewed"
USURP: Final = "usurped"
DELETE: Final = "lease-deleted"
STANDBY: Final = "standby-killed"
FORMER: Final = "replaced-by-the-former-release"
RESTART: Final = "without-api-server"
REIGNING: Final = "the former release leads"

WAYS: Final = {
    KILL: 30,
    TERM: 6,
    FREEZE: 25,
    PAUSE: 8,
    REFUSE: 10,
    USURP: 10,
    DELETE: 6,
    STANDBY: 5,
    FORMER: 20,
    RESTART: 6,
}

_LEASE_SECONDS: Final = 6.0
"""Long enough for a busy machine: a renewal must be answered within a third of it."""
_OPTIONS: Final = ("--lease-duration", f"{_LEASE_SECONDS:g}")
_NAMESPACE, _LEASE = "stagegate-system", "stagegate-loop"
_TAKEOVER_SECONDS: Final = 120.0
_WORK_SECONDS: Final = 4.0


def in_turn(ways: Mapping[str, int], first: Sequence[str], chance: random.Random) -> list[str]:
    """Each way once: those of ``first``, then the former release, then the others, the heavier ones rather earlier."""
    chosen = [way for way in (*first, FORMER) if way in ways]
    others = {way: chance.random() ** (1.0 / weight) for way, weight in ways.items() if way not in chosen}
    return [*dict.fromkeys(chosen), *sorted(others, key=others.__getitem__, reverse=True)]


class Pair:
    """``people`` is a client of somebody who may write the lease; ``first`` are the ways to begin with.

    Everything happens once, then again at random.

    ``former`` is the root of the former release, None where it is not there; ``restart_server`` restarts the API
    server.
    """

    def __init__(
        self,
        scene: Scene,
        people: Client,
        chance: random.Random,
        first: Sequence[str] = (),
        *,
        former: Path | None = None,
        restart_server: Callable[[], None] = lambda: None,
    ) -> None:
        self._scene, self._people, self._chance = scene, people, chance
        self._former, self._restart_server = former, restart_server
        self._ways = {way: weight for way, weight in WAYS.items() if way != FORMER or former is not None}
        self._next = in_turn(self._ways, first, chance)
        self._lives: list[Life] = []
        self._asked: list[Life] = []
        self.met: Counter[str] = Counter()
        self.spans: list[Span] = []
        """When the former release led."""

    def run(self, count: int) -> None:
        """Disrupt two loops ``count`` times; then end both at once."""
        for _ in range(count):
            leader = self._leader()
            standby = next(life for life in self._lives if life is not leader)
            way = self._next.pop(0) if self._next else self._any_way()
            self.met[way] += 1
            self._scene.note(f"{leader.name} leads, {standby.name} stands by: {way}")
            self._disrupt(way, leader, standby)
            self._remove_ended()
        for life in self._lives:
            life.kill()
        self._remove_ended(everybody=True)

    def _any_way(self) -> str:
        return self._chance.choices(list(self._ways), list(self._ways.values()))[0]

    def _leader(self) -> Life:
        """The one that leads, waiting until one does."""
        found: list[Life] = []

        def leads() -> bool:
            self._remove_ended()
            found[:] = [life for life in self._lives if life.running and life.leads]
            while len(self._lives) < 2:
                self._lives.append(self._scene.start(_OPTIONS))
            return bool(found)

        self._scene.wait(leads, "one of two loops leads", within=_TAKEOVER_SECONDS)
        return found[-1]

    def _disrupt(self, way: str, leader: Life, standby: Life) -> None:
        scene, chance = self._scene, self._chance
        if way == KILL:
            self._interrupt_at_write(leader, Life.kill)
            self._await_end(leader)
        elif way == FREEZE:
            self._interrupt_at_write(leader, Life.freeze)
            scene.wait(lambda: standby.leads, "the other one leads", within=_TAKEOVER_SECONDS)
            scene.idle(chance.uniform(0.0, 2.0))
            leader.wake()
            self._await_loss(leader)
        elif way == PAUSE:
            leader.freeze()
            scene.idle(chance.uniform(0.1, 0.8))
            leader.wake()
            scene.idle(1.0)
        elif way == TERM:
            scene.idle(chance.uniform(0.0, 2.0))
            leader.popen.terminate()
            self._asked.append(leader)
            self._await_end(leader)
        elif way == REFUSE:
            scene.proxy.without_leases.add(leader.name)
            self._await_loss(leader)
            scene.proxy.without_leases.discard(leader.name)
        elif way == USURP:
            self._usurp()
            self._await_loss(leader)
        elif way == DELETE:
            # A process cannot observe a lease that is deleted before its first read.
            scene.wait(lambda: "standing by" in standby.output(), "the other one stands by", within=_TAKEOVER_SECONDS)
            self._delete_lease()
            scene.idle(2.0)
        elif way == STANDBY:
            standby.kill()
            self._await_end(standby)
        elif way == FORMER:
            self._replace(leader, standby)
        elif way == RESTART:
            scene.restart(self._restart_server)

    def _replace(self, leader: Life, standby: Life) -> None:
        """The former release takes over from a leader that is killed, works for a while, and is upgraded again."""
        scene, chance = self._scene, self._chance
        standby.kill()
        former = scene.start(_OPTIONS, self._former)
        self._lives.append(former)
        scene.wait(lambda: "standing by" in former.output(), "the former release stands by", within=_TAKEOVER_SECONDS)
        self._interrupt_at_write(leader, Life.kill)
        scene.wait(lambda: former.leads, "the former release leads", within=_TAKEOVER_SECONDS)
        began = time.monotonic()
        scene.idle(chance.uniform(0.0, 4.0))
        self._lives.append(upgraded := scene.start(_OPTIONS))
        self._interrupt_at_write(former, chance.choice([Life.kill, Life.freeze]))
        scene.wait(lambda: upgraded.leads, "the upgraded one leads", within=_TAKEOVER_SECONDS)
        self.spans.append(Span(REIGNING, began, time.monotonic(), former.name))
        former.wake()
        scene.idle(chance.uniform(0.0, 1.0))
        former.kill()
        self._await_end(former)

    def _interrupt_at_write(self, life: Life, how: Callable[[Life], None]) -> None:
        """At one of its next writes, or after a while."""
        interrupted: list[Life] = []

        def interrupt(one: Life) -> None:
            how(one)
            interrupted.append(one)

        scene, chance = self._scene, self._chance
        scene.interrupt = interrupt
        scene.injector.interrupt_at(
            chance.randint(1, 12), chance.choice([Fault.KILL_BEFORE, Fault.KILL_AFTER]), life.name
        )
        until = life.age + _WORK_SECONDS
        scene.wait(lambda: interrupted or not life.running or life.age > until, "a leader writes")
        scene.injector.cancel_interrupt()
        # A write that was chosen may still be on its way: it interrupts nobody any more.
        scene.interrupt = lambda one: None
        if not interrupted and life.running:
            how(life)

    def _await_end(self, life: Life) -> None:
        self._scene.wait(lambda: not life.running, f"{life.name} ends", within=_TAKEOVER_SECONDS)

    def _await_loss(self, life: Life) -> None:
        """It notices that its lease is lost, and stands by."""
        self._scene.wait(lambda: not life.leads, f"{life.name} stands by", within=_TAKEOVER_SECONDS)
        self._scene.report.losses += 1

    def _usurp(self) -> None:
        """Somebody who keeps to no rules takes the lease, and never renews it."""
        done = False
        while not done:
            with suppress(ApiError):
                lease = self._people.get(LEASES, _NAMESPACE, _LEASE)
                taken = held_by(lease, "somebody-else", LeaseTimes.of(_LEASE_SECONDS), datetime.now(UTC))
                self._people.update(LEASES, _NAMESPACE, _LEASE, taken)
                done = True
            self._scene.turn()

    def _delete_lease(self) -> None:
        with suppress(ApiError):
            lease = self._people.get(LEASES, _NAMESPACE, _LEASE)
            self._people.delete(LEASES, _NAMESPACE, _LEASE, uid=lease["metadata"]["uid"])

    def _remove_ended(self, *, everybody: bool = False) -> None:
        for life in [life for life in self._lives if everybody or not life.running]:
            self._lives.remove(life)
            self._scene.note_end(life, asked=life in self._asked)
