"""A campaign: one process of the loop after another, until enough were ended and every rollout is complete."""

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sandbox.autoscaler import Pace
from sandbox.demo.control_plane import ControlPlane, client_of
from sandbox.demo.stack import LOOP, Stack
from sandbox.demo.stack import WEBHOOK as WEBHOOK_ACCOUNT
from tests.chaos.alone import Alone
from tests.chaos.answered import Answered
from tests.chaos.certificates import ROTATING, Certificates
from tests.chaos.clocks import WEBHOOK_WRONG, WRONG, Clocks
from tests.chaos.fault_injection import WEBHOOK, FaultInjector
from tests.chaos.fence import judge_reigns
from tests.chaos.ground import SILENCE, WEBHOOK_SILENCE, Ground
from tests.chaos.history import JUDGED, History
from tests.chaos.laws import Sent, judge
from tests.chaos.life import BY_TERM
from tests.chaos.pair import REIGNING, Pair
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.scene import Scene
from tests.chaos.services import Service, make_services
from tests.chaos.simulated_services import SimulatedServices
from tests.chaos.webhook_disruptions import DISRUPTED, WebhookDisruptions

_PACE: Final = Pace(starts_per_tick=5, startup_ticks=0, termination_ticks=1, stable_ticks=5)
_STILL_TICKS: Final = 12
"""After which it has nothing left to scale down."""
_QUIET_SECONDS: Final = 2.0
_STALL_SECONDS: Final = 300.0
"""Without a single version stored, while rollouts are on their way; a watch and a retry that are late take far less."""
_OUTAGE_EVERY: Final = 25
_REIGNS: Final = 5
"""How many reigns a pair has, one after the other."""


LASTING: Final = (*DISRUPTED.values(), SILENCE, WEBHOOK_SILENCE, REIGNING, WRONG, WEBHOOK_WRONG, ROTATING)
"""The disruptions that last."""

_DENYING: Final = re.compile(r"^(?!.*Duplicate value).*\[(SPA00[1-3]|RO00[1-79])\]")
"""What the webhook tells a controller in a warning, and refuses a person; a repeated name, as of a tag, only warns."""


@dataclass(frozen=True)
class Plan:
    """``kills`` counts the processes of the loop that are killed; ``within`` is in seconds, for the whole campaign.

    ``pairs`` is the part of the kills that falls to two loops at once; ``first`` names what happens to their leaders
    to begin with. ``disruptions`` is the mean time in seconds between two disruptions of the webhook,
    ``jumps`` between two jumps of the wall clock of a loop or the webhook, ``rotations`` between two rotations of the
    certificates.
    """

    seed: int
    kills: int = 200
    services: int = 36
    rate: float = 0.08
    pairs: float = 0.2
    first: tuple[str, ...] = ()
    disruptions: float = 8.0
    within: float = 1800.0
    jumps: float = 4.0
    rotations: float = 10.0


class Campaign:
    """``restart_server`` restarts the API server, where that can be done; ``etcd`` is the socket of its etcd.

    ``former`` is the root of the former release, None where it is not there.
    """

    def __init__(
        self,
        plane: ControlPlane,
        plan: Plan,
        folder: Path,
        restart_server: Callable[[], None] = lambda: None,
        etcd: Path | None = None,
        former: Path | None = None,
    ) -> None:
        self._plane, self._plan, self._folder, self._former = plane, plan, folder, former
        self._restart_server, self._etcd = restart_server, etcd
        self._chance = random.Random(f"{plan.seed} lives")
        self.report = Report()

    def run(self) -> Report:
        """Carry it out; what does not come to its end in time breaks a law too."""
        began = time.monotonic()
        plan, folder, report = self._plan, self._folder, self.report
        with ExitStack() as ends:
            stack = ends.enter_context(Stack(self._plane, folder))
            stack.install()
            injector = FaultInjector(plan.seed, plan.rate)
            proxy = Proxy(self._plane.kubeconfig_for(WEBHOOK_ACCOUNT), injector, lambda who: None, folder)
            ends.enter_context(proxy)
            rotations = random.Random(f"{plan.seed} certificates")
            self._certificates = certificates = Certificates(
                stack, self._plane, lambda: rotations.expovariate(1.0 / plan.rotations)
            )
            self._disruptions = WebhookDisruptions(
                proxy.kubeconfig_for(WEBHOOK),
                certificates.of_the_webhook,
                folder,
                random.Random(f"{plan.seed} disruptions"),
                plan.disruptions,
            )
            ends.enter_context(self._disruptions)
            ends.enter_context(certificates)
            client = client_of(self._plane.kubeconfig, "people")
            history = ends.enter_context(History(client, self._etcd))
            services = make_services(client, history, plan.services, plan.seed)
            services[0].knative.make_node()
            self._autoscaler = stack.start_autoscaler(_PACE, 0.1)
            simulated = ends.enter_context(SimulatedServices(services))
            clocks = Clocks(random.Random(f"{plan.seed} clocks"), plan.jumps)
            self._scene = scene = Scene(
                folder,
                injector,
                simulated,
                report,
                began + plan.within,
                self._plane.kubeconfig_for(LOOP),
                clocks,
                self._disruptions.set_clock,
                certificates.of_the_loop,
            )
            scene.proxies.append(proxy)
            ends.enter_context(scene)
            pair = Pair(
                scene,
                stack.client,
                self._chance,
                plan.first,
                former=self._former,
                restart_server=self._restart_server,
            )
            self._disruptions.enabled = certificates.enabled = True
            is_over = False
            try:
                self._lives(Alone(scene, self._chance), pair)
                self._finish(services, history)
                is_over = True
            except AssertionError as late:
                report.broken.append(str(late))
        self._judge(history, scene.proxy.answered, services, is_over=is_over)
        report.disruptions, report.ways = self._disruptions.met, pair.met
        spans = [*self._disruptions.spans, *clocks.spans(time.monotonic()), *pair.spans, *certificates.spans]
        spans += [span for each in scene.proxies for span in each.silences]
        report.ground = Ground.of(injector.met, scene.proxy.answered, spans, LASTING)
        report.rotations = certificates.rotations
        report.jumps = sum(map(len, clocks.jumps.values()))
        report.seconds = time.monotonic() - began
        return report

    def _lives(self, alone: Alone, pair: Pair) -> None:
        kills, pairs = self._plan.kills, self._plan.pairs
        in_pairs = round(kills * pairs)
        outage_every = min(_OUTAGE_EVERY, max(1, kills // 2))
        before_pairs = 0
        while self._killed < kills:
            left = in_pairs - before_pairs
            if left > 0 and (self._chance.random() < pairs * 2.0 or self._killed + left >= kills):
                before = self._killed
                pair.run(min(_REIGNS, left))
                before_pairs += self._killed - before
            else:
                alone.live()
            if (self.report.outages + 1) * outage_every <= self._killed:
                alone.outage(self._restart_server)
                self.report.outages += 1

    @property
    def _killed(self) -> int:
        return sum(count for how, count in self.report.ends.items() if how != BY_TERM)

    def _finish(self, services: Sequence[Service], history: History) -> None:
        """The last process completes all rollouts, first with faults, then without; then nothing is written."""
        scene = self._scene
        life = scene.start(["--no-leader-elect"])
        scene.simulated.more = False

        def all_complete() -> bool:
            assert life.running, f"the loop ended by itself: {life.output()[-300:]}"
            return scene.simulated.over

        def waiting() -> list[str]:
            return [service.state() for service in services if not service.is_over][:5]

        scene.wait(all_complete, "every rollout is complete", waiting, _STALL_SECONDS, lambda: history.length)
        scene.proxy.injector.rate = 0.0
        scene.set_clocks_right()
        self._disruptions.stop_disrupting()
        for proxy in scene.proxies:
            proxy.cut_all()
        self._certificates.await_order(scene.wait)
        scene.rest(lambda: self._autoscaler.ticks, _STILL_TICKS)
        before = len(scene.proxy.answered)
        scene.idle(_QUIET_SECONDS)
        late = [f"{one.method} {one.path}" for one in scene.proxy.answered[before:] if "/events" not in one.path]
        self.report.broken += [f"written although nothing is left to do: {one}" for one in late]
        scene.wait(all_complete, "every rollout stays complete", waiting, _STALL_SECONDS, lambda: history.length)
        self.report.broken += [problem for service in services for problem in service.wrong_end()]

    def _judge(
        self, history: History, answered: Sequence[Answered], services: Sequence[Service], *, is_over: bool
    ) -> None:
        report, stored = self.report, history.stored()
        with (self._folder / "history.jsonl").open("w") as file:
            for one in stored:
                line = {"version": one.version, "kind": one.resource.kind, "gone": one.gone, "seen": one.seen}
                line |= {"object": one.object}
                file.write(json.dumps(line) + "\n")
        with (self._folder / "answered.jsonl").open("w") as file:
            for written in answered:
                file.write(json.dumps(asdict(written)) + "\n")
        scene = self._scene
        sent = sent_by(answered, datetime.now(UTC), time.monotonic(), scene.clocks.believed, scene.former)
        verdict = judge(stored, sent)
        report.reigns = judge_reigns(answered, scene.electing)
        report.rollouts = sum(service.rollouts for service in services)
        report.steered = sum((service.steered for service in services), Counter())
        report.versions, report.gaps = sum(one.resource in JUDGED for one in stored), history.gaps
        report.writes, report.blocked = len(answered), sum(map(is_blocked, answered))
        if is_over:
            verdict.end()
        report.shifts, report.removed = verdict.shifts, len(sent.removed)
        report.broken += verdict.broken
        report.broken += report.reigns.broken
        report.broken += refused_and_needless(answered)
        report.broken += distrusted(answered)


def sent_by(
    answered: Sequence[Answered],
    now: datetime,
    monotonic: float,
    ahead: Callable[[str, float], timedelta] = lambda who, at: timedelta(0),
    former: Set[str] = frozenset(),
) -> Sent:
    """When the stored writes arrived, by the clock of their process; ``now`` is the same moment as ``monotonic``.

    ``ahead`` says by how much the clock of a process was ahead at most, ``former`` which are of the former release.
    """
    at = {
        id(one): now - timedelta(seconds=monotonic - one.arrived) + ahead(one.who, one.arrived)
        for one in answered
        if one.stored
    }
    versions = {one.version: at[id(one)] for one in answered if one.version}
    pods = [one for one in answered if one.stored and one.method == "DELETE" and "/pods/" in one.path]
    removed = {one.asked["preconditions"]["uid"]: at[id(one)] for one in pods}
    return Sent(versions, removed, {one.version for one in answered if one.version and one.who in former})


def is_blocked(one: Answered) -> bool:
    """Whether it failed because the webhook gave no answer."""
    return one.code == 500 and "failed calling webhook" in str(one.answer.get("message"))


def distrusted(answered: Sequence[Answered]) -> list[str]:
    """Writes that failed because the API server did not trust the webhook's certificate: no rotation may do that."""
    return [
        f"{one.method} {one.path}: {one.answer['message']}" for one in answered if is_blocked(one) and _is_distrust(one)
    ]


def _is_distrust(one: Answered) -> bool:
    """By what a real API server says, and by what the sandbox does."""
    return any(word in str(one.answer["message"]).lower() for word in ("x509", "certificate"))


def refused_and_needless(answered: Sequence[Answered]) -> list[str]:
    """Writes of the loop that the server, or the webhook, refuses for good, and two in a row that change nothing."""
    found: list[str] = []
    idle: Counter[str] = Counter()
    for one in answered:
        if "/events" in one.path or "/leases" in one.path:
            continue
        what = f"{one.method} {one.path}"
        if one.code in (400, 401, 403, 405, 413, 415, 422):
            found.append(f"{what}: refused with {one.code}: {one.answer.get('message')}: {one.asked}")
        found += [f"{what}: a rule refuses it: {warning}" for warning in one.warnings if _DENYING.search(warning)]
        asked = (one.asked.get("metadata") or {}).get("resourceVersion")
        if one.method in ("PATCH", "PUT") and one.code == 200:
            idle[one.path] = idle[one.path] + 1 if asked == one.answer["metadata"]["resourceVersion"] else 0
            if idle[one.path] == 2:
                found.append(f"{what}: changed nothing twice in a row: {one.asked}")
    return found
