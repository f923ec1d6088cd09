"""Processes of a loop without leader election, one after the other."""

import random
from collections.abc import Callable
from typing import Final

from tests.chaos.fault_injection import Fault
from tests.chaos.life import Life
from tests.chaos.scene import Scene
from tests.chaos.services import PLACES

_LONGEST_LIFE: Final = 5.0
_OPTIONS: Final = ("--no-leader-elect",)


class Alone:
    """Ends are by the so-many-th write, after some time, or asked for."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self._scene, self._chance = scene, chance

    def live(self) -> None:
        """One life, from its begin to its end."""
        scene, chance = self._scene, self._chance
        way = chance.choices(["write", "time", "term"], [84, 10, 6])[0]
        everywhere = ("--namespaces", ",".join(PLACES)) if chance.random() < 0.2 else ()
        write = chance.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16])
        fault = chance.choice([Fault.KILL_BEFORE, Fault.KILL_AFTER])
        moment = chance.uniform(0.1, 3.0)
        life = scene.start([*_OPTIONS, *everywhere])
        scene.interrupt = Life.kill
        if way == "write":
            scene.injector.interrupt_at(write, fault, life.name)
        longest = _LONGEST_LIFE if way == "write" else moment
        scene.wait(lambda: not life.running or life.age >= longest, "a life comes to its end")
        scene.injector.cancel_interrupt()
        asked = way == "term" and life.running
        if asked:
            life.popen.terminate()
            scene.wait(lambda: not life.running, "a loop that was asked to end does")
        elif life.running:
            life.kill()
        scene.note_end(life, asked=asked)

    def outage(self, restart_server: Callable[[], None]) -> None:
        """The API server is gone for a moment while the loop runs, and comes back without its history."""
        scene = self._scene
        life = scene.start(_OPTIONS)
        scene.wait(lambda: "working" in life.output() or not life.running, "the loop works")
        scene.restart(restart_server)
        seen = len(scene.proxy.answered)
        scene.wait(lambda: len(scene.proxy.answered) > seen or life.age > 20.0, "the loop goes on")
        life.kill()
        scene.note_end(life)
