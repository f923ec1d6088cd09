"""The environment of the loop's processes: the proxy in front of the server, and the next process, ready to start."""

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.fault_injection import FaultInjector
from tests.chaos.life import Life
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.simulated_services import SimulatedServices

_TURN_SECONDS: Final = 0.01
_SPA_GRACE_SECONDS: Final = "0.5"
"""Shorter than what ``rest`` waits for: an SPA without a Revision is then gone when all has come to rest."""


class Scene:
    """In a ``with``. ``deadline`` is when all has to be over; ``kubeconfig`` that of the loop's account.

    ``interrupt`` is called with the process to interrupt; by default it is killed.
    ``electing`` are the names of those that elect a leader among them.
    """

    def __init__(
        self,
        folder: Path,
        injector: FaultInjector,
        simulated: SimulatedServices,
        report: Report,
        deadline: float,
        kubeconfig: Path,
    ) -> None:
        self._folder, self._deadline = folder, deadline
        self.injector, self.simulated, self.report = injector, simulated, report
        self.proxy = Proxy(kubeconfig, injector, self._interrupted, folder)
        self.log = folder / "loop.log"
        self.interrupt: Callable[[Life], None] = Life.kill
        self.electing: set[str] = set()
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

    def start(self, options: Sequence[str]) -> Life:
        """Begin a process, and make the next one ready."""
        life, self._next = self._next, Life(next(self._names), self._folder)
        self._lives[life.name] = life
        self.note(f"{life.name} begins: {' '.join(options)}")
        if "--no-leader-elect" not in options:
            self.electing.add(life.name)
        usual = ["--kubeconfig", str(self.proxy.kubeconfig_for(life.name)), "--spa-grace", _SPA_GRACE_SECONDS]
        life.begin([*usual, *options])
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
        time.sleep(_TURN_SECONDS)

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
    ) -> None:
        """Raises AssertionError, with the state, when it takes longer than the campaign or these seconds may."""
        deadline = min(self._deadline, time.monotonic() + within)
        while not condition():
            self.turn()
            if time.monotonic() > deadline:
                outputs = [f"{life.name}: {life.output()[-300:]}" for life in self._lives.values()]
                raise AssertionError("\n".join([f"not in time: {what}", *state(), *outputs]))

    def rest(self) -> None:
        """Wait until nothing was written for a second."""
        seen, since = len(self.proxy.answered), time.monotonic()

        def still() -> bool:
            nonlocal seen, since
            if len(self.proxy.answered) != seen:
                seen, since = len(self.proxy.answered), time.monotonic()
            return time.monotonic() - since > 1.0

        self.wait(still, "the loop comes to rest")

    def _interrupted(self, who: str) -> None:
        life = self._lives.get(who)
        if life is not None:
            self.interrupt(life)
