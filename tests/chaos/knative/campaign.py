"""Campaign: people edit their Services while webhook and loop are disrupted; then all has to come to its end."""

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.knative.disruptions import LEASE, Disruptions, around, writes_met
from tests.chaos.knative.judge import Judge, problems_at_end
from tests.chaos.knative.person import NUMBER, SERVICE, Person
from tests.chaos.knative.twin import Twin, unlike
from tests.chaos.report import counted, shown
from tests.rig import Rig
from tests.rig.stagegate import Stagegate

_TURN_SECONDS: Final = 0.1
_END_SECONDS: Final = 240.0
"""Within which every rollout ends once the processes live."""
_TAKES: Final = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """``kills`` counts webhooks and loops that are killed; ``every`` is the mean seconds between two disruptions.

    ``within`` is in seconds, for the disruptions.
    """

    seed: int
    kills: int = 40
    services: int = 4
    every: float = 4.0
    within: float = 1800.0


@dataclass
class Report:
    """Printed, it says what was done, and what met with it."""

    disruptions: Counter[str] = field(default_factory=Counter)
    met: dict[str, Counter[str]] = field(default_factory=dict)
    plots: Counter[str] = field(default_factory=Counter)
    pinned: int = 0
    stock: int = 0
    states: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        judged = (
            f"{counted(self.states, 'state')} judged, {counted(len(self.broken), 'law')} broken; {self.seconds:.0f} s"
        )
        lines = [
            f"{counted(self.pinned, 'rollout')} in stages, and {self.stock} of Knative's own: {shown(self.plots)}",
            f"{shown(self.disruptions)}; {judged}",
        ]
        lines += [f"  stored with the {what}: {shown(writes)}" for what, writes in sorted(self.met.items())]
        return "\n".join(lines)


class Campaign:
    """Works inside the network of a rig where Stagegate runs, and leaves it running."""

    def __init__(self, rig: Rig, stagegate: Stagegate, plan: Plan, folder: Path) -> None:
        self._rig, self._stagegate, self._plan = rig, stagegate, plan
        self._folder, self._log = folder, folder / "campaign.log"
        self._disruptions = Disruptions(stagegate, random.Random(f"{plan.seed} disruptions"), plan.every, self._tell)
        take = next(_TAKES)
        self._people = [
            Person(rig, f"chaos-{take}-{number}", random.Random(f"{plan.seed} person {number}"), self._tell)
            for number in range(plan.services)
        ]
        self.report = Report()

    def run(self) -> Report:
        """Carry it out; what does not come to its end in time breaks a law too."""
        began, report = time.monotonic(), self.report
        self._shorten_lease()
        # One rollout of everybody begins before the first disruption, so that some are held in any case.
        self._turn(lambda: all(person.edits > 1 for person in self._people), _END_SECONDS)
        self._turn(lambda: self._disruptions.kills >= self._plan.kills, self._plan.within, self._disruptions.step)
        for person in self._people:
            person.enough = True
        self._disruptions.end()
        self._tell("nothing is disrupted any more")
        self._turn(lambda: all(person.done for person in self._people), _END_SECONDS)
        for person in self._people:
            if person.problem or not person.done:
                story = (
                    person.problem or f"not within {_END_SECONDS:.0f} s: {person.waits_for}; {person.tenant.story()}"
                )
                report.broken.append(f"{person.tenant.name}: {story}")
        ended = [person for person in self._people if person.wire and person.done and not person.problem]
        self._turn(lambda: not any(self._problems(person) for person in ended), _END_SECONDS)
        report.broken += [problem for person in ended for problem in self._problems(person)]
        self._compare(ended)
        self._judge()
        report.disruptions = Counter(str(each) for each in self._disruptions.all)
        report.broken += self._disruptions.problems
        report.seconds = time.monotonic() - began
        return report

    def _shorten_lease(self) -> None:
        """A loop that is killed would be missed for as long as its lease lasts."""
        assert self._stagegate.loop is not None
        self._stagegate.loop.stop(20)
        self._stagegate.start_loop(LEASE)

    def _problems(self, person: Person) -> list[str]:
        state = person.tenant.record().end
        found = problems_at_end(state, SERVICE, person.serving, person.scaling, NUMBER, person.broken)
        return [f"{person.tenant.name} in the end: {problem}" for problem in found]

    def _compare(self, people: list[Person]) -> None:
        """With twins, which are not disturbed."""
        twins = [Twin(person, len(person.tenant.record().end.all("revisions"))) for person in people]
        self._turn(lambda: sum(twin.step() for twin in twins) == len(twins), _END_SECONDS)
        for person, twin in zip(people, twins, strict=True):
            self.report.broken += [f"{person.tenant.name} unlike its twin: {line}" for line in unlike(person, twin)]
            twin.tenant.leave()

    def _judge(self) -> None:
        report = self.report
        disruptions = self._disruptions.all
        for person in self._people:
            judge, record = Judge(SERVICE, NUMBER), person.tenant.record()
            record.save(self._folder / f"{person.tenant.name}.jsonl")
            judge.judge(record)
            for disruption, writes in writes_met(disruptions, record.changes).items():
                report.met.setdefault(disruption, Counter()).update(writes)
            report.pinned, report.stock = report.pinned + judge.pinned, report.stock + judge.stock
            report.states += judge.states
            report.plots += person.plots
            report.broken += [
                f"{person.tenant.name} at {version}: {problem} ({around(disruptions, at)})"
                for version, at, problem in judge.broken
            ]
            person.tenant.leave()

    def _turn(
        self, is_over: Callable[[], bool], seconds: float, also: Callable[[float], None] = lambda _: None
    ) -> None:
        """Let people act until it is over, or the seconds are."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until and not is_over():
            for person in self._people:
                person.step(now)
            also(now)
            time.sleep(_TURN_SECONDS)

    def _tell(self, what: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{datetime.now(UTC):%H:%M:%S.%f} {what}\n")
