"""Report: what happened in a campaign, and what broke a law."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.fault_injection import Fault
from tests.chaos.fence import Reigns
from tests.chaos.ground import Ground


@dataclass
class Report:
    """Printed, it is the summary: one line of what was done, one of what met with it."""

    ends: Counter[str] = field(default_factory=Counter)
    losses: int = 0
    ground: Ground = field(default_factory=lambda: Ground({}, {}, frozenset(), ()))
    disruptions: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    jumps: int = 0
    rotations: int = 0
    steered: Counter[str] = field(default_factory=Counter)
    reigns: Reigns = field(default_factory=Reigns)
    outages: int = 0
    rollouts: int = 0
    versions: int = 0
    gaps: int = 0
    writes: int = 0
    blocked: int = 0
    shifts: int = 0
    removed: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        faults = sum(count for (fault, _), count in self.ground.faults.items() if fault is not Fault.NONE)
        reigns = self.reigns
        lines = [
            (
                f"{counted(self.rollouts, 'rollout')} complete; the loop ended: {shown(self.ends)};"
                f" {counted(faults, 'request')} met with a fault; {counted(self.writes, 'write')},"
                f" {counted(self.versions, 'version')} judged, {counted(len(self.broken), 'law')} broken;"
                f" {self.seconds:.0f} s"
            ),
            (
                f"the webhook was {shown(self.disruptions)}, and {counted(self.blocked, 'write')} failed for it;"
                f" the API server was down {counted(self.outages, 'time')}, the clock of a loop jumped"
                f" {counted(self.jumps, 'time')}, and the certificates rotated {counted(self.rotations, 'time')};"
                f" {counted(self.shifts, 'late stage')} shifted, {counted(self.removed, 'hanging pod')} removed;"
                f" rollouts were {shown(self.steered)}"
            ),
            (
                f"of two at once the leader was {shown(self.ways)}; {counted(reigns.takeovers, 'takeover')};"
                f" of former leaders' writes {reigns.refused} refused, {reigns.under_way} under way before,"
                f" {counted(reigns.late_events, 'Event')} late"
            ),
        ]
        if self.gaps:
            lines.append(f"versions may have gone unseen: the history was cut {counted(self.gaps, 'time')}")
        return "\n".join(lines)


def shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing"


def counted(number: int, noun: str) -> str:
    """``1 law``, ``2 laws``: a noun whose plural has an s."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
