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
                f"{self.rollouts} rollouts complete; the loop ended: {shown(self.ends)}; {faults} requests met with a"
                f" fault; {self.writes} writes, {self.versions} versions judged, {len(self.broken)} laws broken;"
                f" {self.seconds:.0f} s"
            ),
            (
                f"the webhook was {shown(self.disruptions)}, and {self.blocked} writes failed for it; the API server"
                f" was down {self.outages} times, the clock of a loop jumped {self.jumps} times, and the certificates"
                f" rotated {self.rotations} times; {self.shifts} late stages shifted,"
                f" {self.removed} hanging pods removed; rollouts were {shown(self.steered)}"
            ),
            (
                f"of two at once the leader was {shown(self.ways)}; {reigns.takeovers} takeovers; of former leaders'"
                f" writes {reigns.refused} refused, {reigns.under_way} under way before,"
                f" {reigns.late_events} Events late"
            ),
        ]
        if self.gaps:
            lines.append(f"versions may have gone unseen: the history was cut {self.gaps} times")
        return "\n".join(lines)


def shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing"
