"""The environment of the loop's processes: the proxy in front of the server, and the next process, ready to start."""

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.clocks import Clocks
from tests.chaos.fault_injection import WEBHOOK, FaultInjector
from tests.chaos.life import Life
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.simulated_services import SimulatedServices

_TURN_SECONDS: Final = 0.01
_NOTED_SECONDS: Final = 30.0
_AWAY_SECONDS: Final = (0.5, 4.0)
"""How long the API server is gone, in turn: only the second is long enough for watches to be opened again."""
_SPA_GRACE_SECONDS: Final = "0.5"
"""Shorter than what ``rest`` waits for: an SPA without a Revision is then gone when all has come to rest."""


class Scene:
    """In a ``with``. ``deadline`` is when all has to be over; ``kubeconfig`` that of the loop's account.

    ``interrupt`` is called with the process to interrupt; by default it is killed.
    ``electing`` are the names of those that elect a leader among them, ``former`` those of the former release.
    ``options`` are those of every loop; ``clocks`` says when the wall clock of which one, or of the webhook, jumps.
    """

    def __init__(
        self,
        folder: Path,
        injector: FaultInjector,
        simulated: SimulatedServices,
        report: Report,
        deadline: float,
        kubeconfig: Path,
        clocks: Clocks,
        set_clock_of_webhook: Callable[[float], None],
        options: Sequence[str] = (),
    ) -> None:
        self._folder, self._deadline = folder, deadline
        self.injector, self.simulated, self.report = injector, simulated, report
        self.proxy = Proxy(kubeconfig, injector, self._interrupted, folder)
        self.proxies = [self.proxy]
        """All that are in front of the API server."""
        self.log = folder / "loop.log"
        self.interrupt: Callable[[Life], None] = Life.kill
        self.electing: set[str] = set()
        self.former: set[str] = set()
        self.clocks, self._set_clock_of_webhook, self._options = clocks, set_clock_of_webhook, tuple(options)
        self._away_seconds = itertools.cycle(_AWAY_SECONDS)
        self._names = (f"loop-{number}" for number in itertools.count(1))
        self._next = Life(next(self._names), folder)
        self._lives: dict[str, Life] = {}

    def __enter__(self) -> "Scene":
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for life in (*self._lives.values(), self._next):
            life.end()
        self.proxy.__exit__()

    def start(self, options: Sequence[str], former: Path | None = None) -> Life:
        """Begin a process, and make the next one ready; ``former`` is the root of another release to run."""
        if former is None:
            life, self._next = self._next, Life(next(self._names), self._folder)
        else:
            life = Life(next(self._names), self._folder, former)
            self.former.add(life.name)
        self._lives[life.name] = life
        self.note(f"{life.name} begins: {' '.join(options)}")
        if "--no-leader-elect" not in options:
            self.electing.add(life.name)
        usual = ["--kubeconfig", str(self.proxy.kubeconfig_for(life.name)), "--spa-grace", _SPA_GRACE_SECONDS]
        life.begin([*usual, *self._options, *options])
        return life

    def note_end(self, life: Life, *, asked: bool = False) -> None:
        """Wait for its end, and count how it came; what it had sent arrives now or never."""
        how = life.how_it_ended(asked=asked)
        self.note(f"{life.name} ended {how}")
        if how is None:
            self.report.broken.append(f"the loop ended by itself with {life.popen.returncode}: {life.output()[-300:]}")
        self.report.ends[how or "unasked"] += 1
        del self._lives[life.name]
        life.end()
        self.proxy.cut(life.name)
        with self.log.open("a") as log:
            log.write(f"{life.name} ended {how or 'unasked'}:\n{life.output()}")
        life.log.unlink()

    def note(self, what: str) -> None:
        """Write down what is done now."""
        with (self._folder / "campaign.log").open("a") as log:
            log.write(f"{datetime.now(UTC):%H:%M:%S.%f} {what}\n")

    def turn(self) -> None:
        """Let a moment pass."""
        if self.simulated.problem is not None:
            raise AssertionError(f"the simulation has stopped: {self.simulated.problem!r}") from self.simulated.problem
        wrong_by = self.clocks.jump(_TURN_SECONDS)
        if wrong_by is not None:
            self._set_clock(self.clocks.chance.choice([*self._lives, WEBHOOK]), wrong_by)
        time.sleep(_TURN_SECONDS)

    def set_clocks_right(self) -> None:
        """From now on."""
        self.clocks.every = float("inf")
        for name in (*self._lives, WEBHOOK):
            self._set_clock(name, 0.0)

    def _set_clock(self, name: str, wrong_by: float) -> None:
        self.note(f"the clock of {name} is wrong by {wrong_by:.0f} s")
        # Known before the process can act on it.
        self.clocks.note(name, time.monotonic(), wrong_by)
        (self._set_clock_of_webhook if name == WEBHOOK else self._lives[name].set_clock)(wrong_by)

    def idle(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn()

    def wait(
        self,
        condition: Callable[[], object],
        what: str,
        state: Callable[[], Sequence[str]] = lambda: (),
        within: float = float("inf"),
        progress: Callable[[], object] | None = None,
    ) -> None:
        """Raises AssertionError, with the state, when it takes longer than the campaign or these seconds may.

        With ``progress``, whose value changes while there is any, the seconds count from its last change.
        """
        began = noted = time.monotonic()
        seen = progress and progress()
        while not condition():
            self.turn()
            if progress is not None and (now := progress()) != seen:
                began, seen = time.monotonic(), now
            if time.monotonic() - noted > _NOTED_SECONDS:
                noted = time.monotonic()
                self.note(f"still waiting: {what}: {'; '.join(state())}")
            if time.monotonic() > min(self._deadline, began + within):
                outputs = [f"{life.name}: {life.output()[-300:]}" for life in self._lives.values()]
                raise AssertionError("\n".join([f"not in time: {what}", *state(), *outputs]))

    def restart(self, restart_server: Callable[[], None]) -> None:
        """The API server is gone for a moment, and comes back without its history."""
        for proxy in self.proxies:
            proxy.go_down()
        restart_server()
        self.idle(next(self._away_seconds))
        for proxy in self.proxies:
            proxy.come_up()

    def rest(self, ticks: Callable[[], int], enough: int) -> None:
        """Wait until nothing was written for a second, and for so many ticks of the autoscaler."""
        seen, since, began = len(self.proxy.answered), time.monotonic(), ticks()

        def still() -> bool:
            nonlocal seen, since, began
            if len(self.proxy.answered) != seen:
                seen, since, began = len(self.proxy.answered), time.monotonic(), ticks()
            return time.monotonic() - since > 1.0 and ticks() - began >= enough

        self.wait(still, "the loop comes to rest")

    def _interrupted(self, who: str) -> None:
        life = self._lives.get(who)
        if life is not None:
            self.interrupt(life)
