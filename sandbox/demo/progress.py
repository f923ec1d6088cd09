"""Progress: a rollout as bars that are drawn anew in place, or as one plain line per change."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

_BAR_WIDTH: Final = 36
_CLEAR_LINE: Final = "\x1b[2K"


@dataclass(frozen=True, slots=True)
class Row:
    """One revision: its share of traffic, and its replicas: wanted, running and ending."""

    revision: str
    percent: int
    wanted: int
    running: int
    ending: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A rollout at one moment; ``stage`` is 0 before the first one, ``state`` a few words on what it waits for."""

    name: str
    strategy: str
    stage: int
    stages: int
    rows: tuple[Row, ...]
    state: str = ""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What a bar is made of: a running replica, one that ends, one that is wanted and not there yet."""

    running: str
    ending: str
    missing: str


BLOCKS: Final = Glyphs("█", "▒", "░")
ASCII: Final = Glyphs("#", "~", ".")


def bars(snapshot: Snapshot, glyphs: Glyphs, most: int) -> list[str]:
    """The snapshot as lines for a terminal; ``most`` is the number of replicas that fills a bar."""
    width = max((len(row.revision) for row in snapshot.rows), default=0)
    lines = [f"  {snapshot.name}  {snapshot.strategy}  stage {snapshot.stage} of {snapshot.stages}  {snapshot.state}"]
    for row in snapshot.rows:
        bar = _bar(row, glyphs, most)
        ending = f", {row.ending} ending" if row.ending else ""
        lines.append(
            f"  {row.revision:<{width}}  {row.percent:>3} %  {bar:<{_BAR_WIDTH}}"
            f"  {row.running} running, {row.wanted} wanted{ending}"
        )
    return [line.rstrip() for line in lines]


def plain(snapshot: Snapshot) -> str:
    """The snapshot as one line without any drawing."""
    parts = [
        f"{row.revision} {row.percent}% {row.running}/{row.wanted}" + (f" ({row.ending} ending)" if row.ending else "")
        for row in snapshot.rows
    ]
    return f"  stage {snapshot.stage}/{snapshot.stages}: " + ", ".join(parts)


class Screen:
    """Shows snapshots on a stream: drawn in place on a terminal, else a line whenever something changed."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._drawn = 0
        self._last = ""
        self._most = 1
        self._glyphs = BLOCKS if _can_write(self._stream, BLOCKS) else ASCII

    def show(self, snapshot: Snapshot) -> None:
        if not self._stream.isatty():
            line = plain(snapshot)
            if line != self._last:
                self._last = line
                print(line, file=self._stream, flush=True)
            return
        self._most = max(self._most, *(max(row.running + row.ending, row.wanted) for row in snapshot.rows))
        self._draw(bars(snapshot, self._glyphs, self._most))

    def finish(self) -> None:
        """Leave the last snapshot on the screen; the next one starts below it."""
        self._drawn, self._last, self._most = 0, "", 1

    def _draw(self, lines: Sequence[str]) -> None:
        # A line that wraps would take two rows, and the next drawing would start too low.
        columns = shutil.get_terminal_size().columns
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._stream.write(up + "".join(f"{_CLEAR_LINE}{line[: columns - 1]}\n" for line in lines))
        self._stream.flush()
        self._drawn = len(lines)


def _bar(row: Row, glyphs: Glyphs, most: int) -> str:
    per_replica = max(1, _BAR_WIDTH // max(most, 1))
    missing = max(0, row.wanted - row.running)
    pieces = ((glyphs.running, row.running), (glyphs.ending, row.ending), (glyphs.missing, missing))
    return "".join(glyph * count * per_replica for glyph, count in pieces)[:_BAR_WIDTH]


def _can_write(stream: TextIO, glyphs: Glyphs) -> bool:
    try:
        (glyphs.running + glyphs.ending + glyphs.missing).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
