"""Soak: webhook and loop as processes, people who never stop, and what is judged at the end."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.autoscaler import Pace
from sandbox.demo.control_plane import ControlPlane, client_of
from sandbox.demo.knative import Knative
from sandbox.demo.process import Process
from sandbox.demo.stack import WEBHOOK, Stack
from tests.chaos.certificates import Certificates
from tests.chaos.report import counted, shown
from tests.soak.footprint import Sample, growth, sample, tenth
from tests.soak.leftovers import leftovers, too_many_events
from tests.soak.person import Person
from tests.soak.world import World
from webhook.cluster.errors import ApiError
from webhook.cluster.resource import EVENTS, NAMESPACES, ROLLOUT_ORCHESTRATORS

NAMESPACE: Final = "soak"
LEAST_MINUTES: Final = 5.0
"""A shorter soak says nothing about growth: its second tenth is still the start."""
_TURN_SECONDS: Final = 0.3
_SAMPLE_SECONDS: Final = 1.0
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 300.0
_REST_SECONDS: Final = 60.0
_ROTATIONS_EVERY: Final = 25.0
"""Always the same, so that each tenth has as many: an API server keeps connections to the former ones for a while."""


@dataclass
class Report:
    """Printed, it says what was done and what broke."""

    seconds: float
    plots: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    rotations: int = 0
    events: int = 0
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            (
                f"{counted(self.plots.total(), 'rollout')} in {self.seconds / 60:.1f} minutes: {shown(self.plots)};"
                f" {counted(self.deleted, 'Service')} deleted, the certificates rotated"
                f" {counted(self.rotations, 'time')}, {counted(self.events, 'Event')};"
                f" {counted(len(self.broken), 'problem')}"
            )
        ]
        for name, samples in self.samples.items():
            early, late = tenth(samples, 2, self.seconds), tenth(samples, 10, self.seconds)
            if early is not None and late is not None:
                share = 100 * (late.resident / early.resident - 1)
                lines.append(f"{name}: {early} in the second tenth, {late} in the last ({share:+.1f} % of memory)")
        return "\n".join([*lines, *(f"  {problem}" for problem in self.broken)])


class Soak:
    """Runs on a control plane of its own; ``tell`` gets a line of progress for each tenth of the time."""

    def __init__(
        self, plane: ControlPlane, folder: Path, minutes: float, people: int, seed: int, tell: Callable[[str], None]
    ) -> None:
        self._plane, self._folder = plane, folder
        self._seconds, self._tell = minutes * 60.0, tell
        self._client = client_of(plane.kubeconfig, "people")
        self._people = [
            Person(
                self._client, plane.kubeconfig, NAMESPACE, f"shop-{number}", random.Random(f"{seed} person {number}")
            )
            for number in range(people)
        ]
        self.report = Report(self._seconds)

    def run(self) -> Report:
        with ExitStack() as ends:
            stack = ends.enter_context(Stack(self._plane, self._folder))
            stack.install()
            certificates = Certificates(stack, self._plane, lambda: _ROTATIONS_EVERY)
            kubeconfig = self._plane.kubeconfig_for(WEBHOOK)
            options = ["--drain", "0", "--kubeconfig", str(kubeconfig), *certificates.of_the_webhook]
            webhook = Process(["serve", *options], self._folder / "serve.log")
            ends.callback(webhook.stop)
            ends.enter_context(certificates)
            self._begin(stack)
            stack.start_loop([*certificates.of_the_loop, "--spa-grace", "2"])
            assert stack.loop is not None
            self._processes = {"webhook": webhook, "loop": stack.loop}
            self._ports = {"webhook": certificates.port}
            # The first authority that is replaced belongs to the start.
            certificates.rotate()
            certificates.enabled = True
            self._soak()
            certificates.enabled = False
            self._finish()
            self._eventually("the certificates are in order", lambda: [certificates.problem()])
            self.report.rotations = certificates.rotations
            self._judge()
        return self.report

    def _begin(self, stack: Stack) -> None:
        """What plays Knative, once the webhooks are in force."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._client.create(NAMESPACES, None, namespace)
        kind = {"apiVersion": ROLLOUT_ORCHESTRATORS.api_version, "kind": ROLLOUT_ORCHESTRATORS.kind}
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_filled_in(stack, kind | {"metadata": {"name": "probe"}}):
            assert time.monotonic() < deadline, "the webhook is not called"
            time.sleep(_TURN_SECONDS)
        Knative(self._client, NAMESPACE, "any", 0).make_node()
        stack.start_knative(NAMESPACE)
        stack.start_autoscaler(Pace(starts_per_tick=10, stable_ticks=1000), 0.2, NAMESPACE)

    @staticmethod
    def _is_filled_in(stack: Stack, probe: dict[str, object]) -> bool:
        try:
            return "labels" in stack.rehearsal.create(ROLLOUT_ORCHESTRATORS, NAMESPACE, probe)["metadata"]
        except ApiError:
            return False

    def _soak(self) -> None:
        began, tenths, sampled = time.monotonic(), 1, 0.0
        while (passed := time.monotonic() - began) < self._seconds and not self._problems():
            self._turn()
            if passed - sampled >= _SAMPLE_SECONDS:
                sampled = passed
                for name, process in self._processes.items():
                    self.report.samples.setdefault(name, []).append(sample(process.pid, passed, self._ports.get(name)))
            if passed >= tenths * self._seconds / 10:
                tenths += 1
                self._tell(self._progress(passed))

    def _progress(self, passed: float) -> str:
        ended, begun = sum(person.plots.total() for person in self._people), sum(one.begun for one in self._people)
        now = "; ".join(f"{name} {samples[-1]}" for name, samples in self.report.samples.items())
        return f"{passed / 60:.1f} min: {begun} edits, {ended} rollouts ended; {now}"

    def _finish(self) -> None:
        """Every rollout comes to its end."""
        for person in self._people:
            person.enough = True
        deadline = time.monotonic() + _END_SECONDS
        while not all(person.done or person.problem for person in self._people) and time.monotonic() < deadline:
            self._turn()
        self.report.broken += self._problems()
        for person in self._people:
            self.report.plots += person.plots
            self.report.deleted += person.deleted
            if not person.done and not person.problem:
                self.report.broken.append(f"{person.revision} has not ended within {_END_SECONDS:.0f} s")

    def _turn(self) -> None:
        try:
            world = World.read(self._client, NAMESPACE)
        except ApiError as problem:
            self._tell(str(problem))
            return
        for person in self._people:
            person.step(world, time.monotonic())
        time.sleep(_TURN_SECONDS)

    def _problems(self) -> list[str]:
        found = [person.problem for person in self._people if person.problem]
        for name, process in self._processes.items():
            found += [] if process.running else [f"the {name} ended: {process.last_words()}"]
        return found

    def _judge(self) -> None:
        newest = {person.service: person.revision for person in self._people}
        self._eventually("nothing is left behind", lambda: list(leftovers(World.read(self._client, NAMESPACE), newest)))
        events = self._client.list(EVENTS, NAMESPACE)["items"]
        self.report.events = len(events)
        self.report.broken += too_many_events(events, self._seconds)
        for name, samples in self.report.samples.items():
            (self._folder / f"{name}.csv").write_text(
                "".join(f"{one.at:.1f},{one.resident},{one.descriptors},{one.clients}\n" for one in samples)
            )
            if self._seconds >= LEAST_MINUTES * 60.0:
                self.report.broken += [f"the {name} has grown: {what}" for what in growth(samples, self._seconds)]
        for name, process in self._processes.items():
            faults = process.log.read_text(errors="replace").count("Traceback")
            self.report.broken += [f"the log of the {name} has {counted(faults, 'traceback')}"] if faults else []

    def _eventually(self, what: str, problems: Callable[[], Sequence[str]]) -> None:
        deadline = time.monotonic() + _REST_SECONDS
        while any(found := problems()):
            if time.monotonic() > deadline:
                self.report.broken += [f"not within {_REST_SECONDS:.0f} s: {what}: {problem}" for problem in found]
                return
            time.sleep(_TURN_SECONDS)
