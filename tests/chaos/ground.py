"""Ground: which faults and disruptions hit which writes, and which never did."""

import textwrap
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
_HEADING: Final = 8
"""The width of headings, unless a word is longer."""
_ALL: Final = "all together"
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
        """Three tables: faults of writes, disruptions that lasted while writes arrived, and faults of watches."""
        seen = {request for _, request in self.faults}
        writes = self.writes | {one for one in seen if one.partition(" ")[0] in ("create", "update", "patch", "delete")}
        watches = {one for one in seen if one.startswith("watch ")}
        by_fault = {(fault.value, request): count for (fault, request), count in self.faults.items()}
        return [
            *_table("Writes of the loop, and how often a fault hit them:", writes, _values(_OF_WRITES), by_fault),
            *_table("The same writes, and how many arrived meanwhile:", writes, self.lasting, self.spans),
            *_table("Watches, and how often a fault hit them:", watches, _values(_OF_WATCHES), by_fault),
        ]


def _values(faults: Iterable[Fault]) -> list[str]:
    return [fault.value for fault in faults]


def _table(
    title: str, requests: Iterable[str], columns: Sequence[str], counts: Mapping[tuple[str, str], int]
) -> list[str]:
    """A row for each request, a column for each of what may hit it; "." is never. Then what was hit by nothing."""
    rows = sorted(requests, key=lambda one: one.split(" ")[::-1])
    cells = {name: [counts.get((column, name), 0) for column in columns] for name in rows}
    totals = [sum(found) for found in zip(*cells.values(), strict=True)] if rows else [0] * len(columns)
    headings = [textwrap.wrap(column, _HEADING, break_long_words=False) for column in columns]
    high = max(map(len, headings))
    widths = [max(6, *map(len, heading)) + 1 for heading in headings]
    wide = max(map(len, (*rows, _ALL)))
    lines = ["", title]
    for level in range(high):
        parts = [([""] * (high - len(heading)) + heading)[level] for heading in headings]
        lines.append(_line("", parts, wide, widths))
    lines += [_line(name, [str(count or ".") for count in found], wide, widths) for name, found in cells.items()]
    lines.append(_line(_ALL, [str(count or ".") for count in totals], wide, widths))
    hit = sum(count > 0 for found in cells.values() for count in found)
    lines.append(f"{hit} of {len(rows) * len(columns)} combinations")
    unhit = [name for name, found in cells.items() if not any(found)]
    return lines + ([f"never hit by anything: {', '.join(unhit)}"] if unhit else [])


def _line(name: str, parts: Sequence[str], wide: int, widths: Sequence[int]) -> str:
    aligned = "".join(f"{part:>{width}}" for part, width in zip(parts, widths, strict=True))
    return f"{name:<{wide}}{aligned}".rstrip()
