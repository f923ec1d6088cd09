"""Campaign: one life of the loop after the other, until enough of them have ended and every rollout is complete."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.fire import Fault, Fire
from tests.chaos.history import History
from tests.chaos.laws import broken_laws
from tests.chaos.proxy import Answered, Proxy
from tests.chaos.services import PLACES, Service, make_services
from webhook.cli.demo.control_plane import ControlPlane, client_of
from webhook.cli.demo.stack import LOOP, Stack
from webhook.sandbox.autoscaler import Pace

KILLED: Final = -signal.SIGKILL
_UNREACHABLE: Final = 3
_LEASE_LOST: Final = 1
_LONGEST_LIFE: Final = 5.0
_QUIET_SECONDS: Final = 2.0
_OUTAGE_EVERY: Final = 25


@dataclass(frozen=True)
class Plan:
    """``kills`` counts the lives of the loop that end at once; ``within`` is in seconds, for the whole campaign."""

    seed: int
    kills: int = 200
    services: int = 36
    rate: float = 0.08
    leases: bool = True
    within: float = 1800.0


@dataclass
class Report:
    """What happened, and what broke a law."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: Counter[Fault] = field(default_factory=Counter)
    rollouts: int = 0
    versions: int = 0
    writes: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {how}" for how, count in sorted(self.ends.items()))
        faults = sum(count for fault, count in self.faults.items() if fault is not Fault.NONE)
        return (
            f"{self.rollouts} rollouts complete; the loop ended: {ends}; {faults} requests met with a fault;"
            f" {self.writes} writes, {self.versions} versions judged, {len(self.broken)} laws broken;"
            f" {self.seconds:.0f} s"
        )


# The command as it is, in a process that has read the code already and waits for its arguments.
_READY: Final = """
import json, sys, kubernetes.client, webhook.cluster.connection, webhook.loop.process, webhook.cli
line = sys.stdin.readline()
sys.exit(webhook.cli.main(json.loads(line)) if line else 0)
"""


class Life:
    """One process of the loop: it is born when it is begun, and has no part in anything before."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("ab") as output:
            command = [sys.executable, "-c", _READY]
            self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True)
        self.born = float("inf")

    def begin(self, options: Sequence[str]) -> None:
        self.born = time.monotonic()
        self._offset = self._log.stat().st_size
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(["loop", *options]) + "\n")
        self.popen.stdin.close()

    @property
    def age(self) -> float:
        return time.monotonic() - self.born

    def said(self) -> str:
        return self._log.read_text()[self._offset :]

    def kill(self) -> None:
        self.popen.kill()


class Campaign:
    """``restart_server`` restarts the API server, where that can be done: it is only out of reach where not."""

    def __init__(
        self, plane: ControlPlane, plan: Plan, folder: Path, restart_server: Callable[[], None] = lambda: None
    ) -> None:
        self._plane, self._plan, self._folder = plane, plan, folder
        self._restart_server = restart_server
        self._chance = random.Random(f"{plan.seed} lives")
        self._life: Life | None = None
        self._next: Life | None = None
        self._services: list[Service] = []
        self._stepped = 0.0
        self.report = Report()
        self.log = folder / "loop.log"

    def run(self) -> Report:
        """Carry it out. Raises AssertionError where it does not come to its end in time."""
        began = time.monotonic()
        self._deadline = began + self._plan.within
        with ExitStack() as ends:
            stack = ends.enter_context(Stack(self._plane, self._folder))
            stack.install()
            fire = Fire(self._plan.seed, self._plan.rate)
            client = client_of(self._plane.kubeconfig, "people")
            history = ends.enter_context(History(client))
            proxy = Proxy(self._plane.kubeconfig_for(LOOP), fire, self._kill, self._folder)
            self._proxy = ends.enter_context(proxy)
            self._services = make_services(client, history, self._plan.services, self._plan.seed)
            self._services[0].knative.make_node()
            stack.start_autoscaler(Pace(starts_per_tick=5, startup_ticks=0, termination_ticks=1, stable_ticks=5), 0.1)
            ends.callback(self._end)
            while self._killed < self._plan.kills:
                self._live()
            self._finish(fire)
        report = self.report
        report.rollouts = sum(service.rollouts for service in self._services)
        report.faults = fire.met
        report.writes = len(proxy.answered)
        stored = history.stored()
        report.versions = len(stored)
        with (self._folder / "history.jsonl").open("w") as file:
            for one in stored:
                line = {"version": one.version, "kind": one.resource.kind, "gone": one.gone, "object": one.object}
                file.write(json.dumps(line) + "\n")
        report.broken += broken_laws(stored)
        report.broken += [problem for service in self._services for problem in service.wrong_end()]
        report.broken += refused_and_needless(proxy.answered)
        report.seconds = time.monotonic() - began
        return report

    @property
    def _killed(self) -> int:
        ends = self.report.ends
        return sum(count for how, count in ends.items() if how != "by SIGTERM")

    def _live(self) -> None:
        """One life, from its begin to its end."""
        way = self._chance.choices(["write", "time", "term", "lease"], [84, 8, 4, 4])[0]
        if way == "lease" and not self._plan.leases:
            way = "write"
        options = ["--no-leader-elect"] if way != "lease" else ["--lease-duration", "3"]
        life = self._start(options)
        write = self._chance.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16])
        moment = self._chance.uniform(0.1, 3.0)
        if way == "write":
            self._proxy.fire.kill_at(write, self._chance.choice([Fault.KILL_BEFORE, Fault.KILL_AFTER]))
        done = moment if way in ("time", "term") else _LONGEST_LIFE
        while life.popen.poll() is None and life.age < done:
            self._turn()
            if way == "lease" and "leads (lease" in life.said():
                self._proxy.without_leases = True
        self._proxy.fire.spare()
        if way == "term" and life.popen.poll() is None:
            life.popen.terminate()
            self._await(lambda: life.popen.poll() is not None, "a loop that was asked to end does")
        elif life.popen.poll() is None:
            life.kill()
        self._note_end(life, way)
        self._proxy.without_leases = False
        # What a dead process had sent arrives now or never.
        self._proxy.cut_all()
        if sum(self.report.ends.values()) % _OUTAGE_EVERY == 0:
            self._outage()

    def _note_end(self, life: Life, way: str) -> None:
        code = life.popen.wait()
        if code == KILLED:
            self.report.ends["by SIGKILL"] += 1
        elif way == "term" and code in (0, -signal.SIGTERM):
            self.report.ends["by SIGTERM"] += 1
        elif code == _LEASE_LOST and "ending at once" in life.said():
            self.report.ends["by itself, its lease lost"] += 1
        else:
            self.report.ends["unasked"] += 1
            self.report.broken.append(f"the loop ended by itself with {code}: {life.said()[-300:]}")

    def _outage(self) -> None:
        """The API server is gone for a moment while the loop runs, and comes back without its history."""
        life = self._start(["--no-leader-elect"])
        self._await(lambda: "working" in life.said() or life.popen.poll() is not None, "the loop works")
        self._proxy.go_down()
        self._restart_server()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            self._turn()
        self._proxy.come_up()
        seen = len(self._proxy.answered)
        self._await(lambda: len(self._proxy.answered) > seen or life.age > 20.0, "the loop goes on")
        life.kill()
        self._note_end(life, "outage")
        self._proxy.cut_all()

    def _finish(self, fire: Fire) -> None:
        """A last life carries all rollouts to their end, first under fire, then in peace; then nothing is written."""
        life = self._start(["--no-leader-elect"])

        def all_complete() -> bool:
            assert life.popen.poll() is None, f"the loop ended by itself: {life.said()[-300:]}"
            return all(service.complete for service in self._services)

        self._await(all_complete, "every rollout is complete", more=False)
        fire.rate = 0.0
        self._proxy.cut_all()
        self._rest()
        before = len(self._proxy.answered)
        until = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < until:
            self._turn(more=False)
        late = [f"{one.method} {one.path}" for one in self._proxy.answered[before:] if "/events" not in one.path]
        self.report.broken += [f"written although nothing is left to do: {one}" for one in late]
        self._await(all_complete, "every rollout stays complete", more=False)

    def _rest(self) -> None:
        """Wait until the loop has had nothing to write for a second."""
        seen, since = len(self._proxy.answered), time.monotonic()
        while time.monotonic() - since < 1.0:
            self._turn(more=False)
            if len(self._proxy.answered) != seen:
                seen, since = len(self._proxy.answered), time.monotonic()
            assert time.monotonic() < self._deadline, "the loop does not come to rest"

    def _await(self, condition: Callable[[], bool], what: str, *, more: bool = True) -> None:
        while not condition():
            self._turn(more=more)
            if time.monotonic() > self._deadline:
                waiting = [service.state() for service in self._services if not service.complete]
                raise AssertionError("\n".join([f"not within {self._plan.within:.0f} s: {what}", *waiting[:5]]))

    def _turn(self, *, more: bool = True) -> None:
        """A moment in which people and Knative do what they do."""
        if time.monotonic() - self._stepped > 0.1:
            for service in self._services:
                service.step(more=more)
            self._stepped = time.monotonic()
        time.sleep(0.01)

    def _start(self, options: Sequence[str]) -> Life:
        everywhere = ["--namespaces", ",".join(PLACES)] if self._chance.random() < 0.2 else []
        self._life, self._next = self._next or Life(self.log), Life(self.log)
        self._life.begin(["--kubeconfig", str(self._proxy.kubeconfig), *options, *everywhere])
        return self._life

    def _kill(self) -> None:
        if self._life is not None:
            self._life.kill()

    def _end(self) -> None:
        for life in (self._life, self._next):
            if life is not None:
                life.kill()
                life.popen.wait()
                if life.popen.stdin is not None:
                    life.popen.stdin.close()


def refused_and_needless(answered: Sequence[Answered]) -> list[str]:
    """Writes of the loop that the server itself refuses for good, and two in a row that change nothing."""
    found: list[str] = []
    idle: Counter[str] = Counter()
    for one in answered:
        if "/events" in one.path or "/leases" in one.path:
            continue
        what = f"{one.method} {one.path}"
        if one.code in (400, 401, 403, 405, 413, 415, 422):
            found.append(f"{what}: refused with {one.code}: {one.answer.get('message')}: {one.asked}")
        asked = (one.asked.get("metadata") or {}).get("resourceVersion")
        if one.method in ("PATCH", "PUT") and one.code == 200:
            idle[one.path] = idle[one.path] + 1 if asked == one.answer["metadata"]["resourceVersion"] else 0
            if idle[one.path] == 2:
                found.append(f"{what}: changed nothing twice in a row: {one.asked}")
    return found
