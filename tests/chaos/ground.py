"""Ground: which faults and disruptions hit which writes, and which never did."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.answered import Answered
from tests.chaos.fault_injection import WEBHOOK, Fault, request_of

_OF_WRITES: Final = (
    Fault.SLOW,
    Fault.CONFLICT,
    Fault.TOO_MANY,
    Fault.SERVER_ERROR,
    Fault.UNAVAILABLE,
    Fault.DENIED,
    Fault.LOST,
    Fault.UNANSWERED,
    Fault.HELD,
    Fault.KILL_BEFORE,
    Fault.KILL_AFTER,
    Fault.AWAY,
)
_OF_WATCHES: Final = (
    Fault.CUT,
    Fault.EXPIRED,
    Fault.GONE,
    Fault.UNAVAILABLE,
    Fault.TOO_MANY,
    Fault.TWICE,
    Fault.SWAPPED,
    Fault.SILENT,
    Fault.AWAY,
)
SILENCE: Final = "a watch of the loop is silent"
WEBHOOK_SILENCE: Final = "a watch of the webhook is silent"


@dataclass(frozen=True, slots=True)
class Span:
    """A disruption that lasts: what it is, and from when to when, by ``time.monotonic``. ``who`` "" is everybody."""

    what: str
    began: float
    ended: float
    who: str = ""

    def covers(self, one: Answered) -> bool:
        return self.began <= one.arrived <= self.ended and self.who in ("", one.who)


def silence_of(who: str, began: float, ended: float) -> Span:
    """A watch of this client had no events: every write goes through the webhook."""
    what, whose = (WEBHOOK_SILENCE, "") if who == WEBHOOK else (SILENCE, who)
    return Span(what, began, ended, whose)


@dataclass(frozen=True)
class Ground:
    """How often what met which request. ``writes`` are all that arrived, ``lasting`` the names of the disruptions."""

    faults: Mapping[tuple[Fault, str], int]
    spans: Mapping[tuple[str, str], int]
    writes: frozenset[str]
    lasting: tuple[str, ...]

    @classmethod
    def of(
        cls,
        hits: Mapping[tuple[Fault, str], int],
        answered: Iterable[Answered],
        spans: Sequence[Span],
        lasting: Sequence[str],
    ) -> "Ground":
        """``hits`` are those of the fault injector; a write is under a disruption that lasts when it arrives."""
        met: Counter[tuple[str, str]] = Counter()
        writes = set()
        for one in answered:
            write = request_of(one.method, one.path, who=one.who)
            writes.add(write)
            met.update((what, write) for what in {span.what for span in spans if span.covers(one)})
        return cls(hits, met, frozenset(writes), tuple(lasting))

    def __add__(self, other: "Ground") -> "Ground":
        return Ground(
            Counter(self.faults) + Counter(other.faults),
            Counter(self.spans) + Counter(other.spans),
            self.writes | other.writes,
            tuple(dict.fromkeys((*self.lasting, *other.lasting))),
        )

    def lines(self) -> list[str]:
        """Two tables, of writes and of watches, a row for each fault, and what was never hit."""
        seen = {request for _, request in self.faults}
        writes = self.writes | {one for one in seen if one.partition(" ")[0] in ("create", "update", "patch", "delete")}
        of_writes = {fault.value: {name: self.faults.get((fault, name), 0) for name in writes} for fault in _OF_WRITES}
        of_writes |= {what: {name: self.spans.get((what, name), 0) for name in writes} for what in self.lasting}
        watches = {one for one in seen if one.startswith("watch ")}
        of_watches = {fault.value: {one: self.faults.get((fault, one), 0) for one in watches} for fault in _OF_WATCHES}
        return [*_table("which faults hit which writes", of_writes), *_table("and which watches", of_watches)]


def _table(title: str, rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    columns = sorted({name for row in rows.values() for name in row})
    letters = {name: chr(ord("a") + index) for index, name in enumerate(columns)}
    wide = max(map(len, rows))
    lines = [f"{title}: {'; '.join(f'{letters[name]} {name}' for name in columns)}"]
    lines.append(" ".join([" " * wide, *(f"{letters[name]:>5}" for name in columns)]))
    for what, row in rows.items():
        cells = " ".join(f"{row[name] or '.':>5}" for name in columns)
        lines.append(f"{what:<{wide}} {cells}{'' if any(row.values()) else '  never'}")
    unhit = [name for name in columns if not any(row[name] for row in rows.values())]
    return lines + ([f"never hit by anything: {', '.join(unhit)}"] if unhit else [])
