"""``text`` and ``compact``: a line for each finding, and in text the place with the way out below it."""

import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from webhook.check.report import Located, Report
from webhook.text import visible

_TAB: Final = "    "
_DOTS: Final = "..."
_LEAST_WIDTH: Final = 40
_LONGEST_LINE: Final = 200
"""As much of a line is shown where the output has no width of its own."""

Style = Callable[[str, str], str]
"""Adds colour to a text; the second argument is a level or ``caret``."""


def plain(text: str, _: str) -> str:
    return text


def compact(report: Report, *, style: Style = plain) -> Iterator[str]:
    """The first line of each finding only."""
    for finding in report.findings:
        yield _headline(finding, style)


def text(report: Report, *, width: int = 0, style: Style = plain) -> Iterator[str]:
    """Each finding with its line and the way out below the value; ``width`` is that of a terminal, 0 for none."""
    for finding in report.findings:
        yield _headline(finding, style)
        yield from _excerpt(finding, max(width, _LEAST_WIDTH) if width else 0, style)


def one_line(text: str) -> str:
    """The text on one line, with every character that cannot be seen as an escape."""
    return visible(text).replace("\n", "\\n")


def _headline(finding: Located, style: Style) -> str:
    place = finding.place
    level = style(finding.level, finding.level)
    id_ = f" {finding.id}" if finding.id else ""
    return f"{one_line(place.file)}:{place.line}:{place.column}: {level}{id_} {one_line(finding.text)}"


def _excerpt(finding: Located, width: int, style: Style) -> Iterator[str]:
    line, number, start, end = finding.excerpt
    gutter = f"{number or '':>4} | "
    empty = " " * (len(gutter) - 2) + "| "
    before, marked, after = (_shown(part) for part in (line[:start], line[start:end], line[end:]))
    room = (width or _LONGEST_LINE + len(gutter)) - len(gutter)
    before, marked, after = _cut(before, marked, after, room)
    if before + marked + after:
        yield f"{gutter}{before}{marked}{after}"
    indent = " " * _cells(before)
    caret = "^" + "~" * (_cells(marked) - 1)
    way_out = one_line(finding.way_out)
    if not (before + marked + after):
        caret, indent = "", ""
    together = f"{indent}{caret} {way_out}".rstrip() if caret else way_out
    if not width or _cells(together) <= room:
        if together:
            yield f"{empty}{together.replace(caret, style(caret, 'caret'), 1) if caret else together}"
        return
    if caret:
        yield f"{empty}{indent}{style(caret, 'caret')}"
    for part in textwrap.wrap(way_out, room - 2):
        yield f"{empty}  {part}"


def _shown(part: str) -> str:
    return one_line(part.replace("\t", _TAB))


def _cut(before: str, marked: str, after: str, room: int) -> tuple[str, str, str]:
    """The parts of a line, cut to this many cells around what is marked."""
    if _cells(before + marked + after) <= room:
        return before, marked, after
    marked = _first(marked, max(room // 2, 1))
    if _cells(before) > room // 3 and _cells(before) + _cells(marked) > room - 2 * len(_DOTS):
        before = _DOTS + _last(before, room // 3)
    left = room - _cells(before) - _cells(marked)
    return before, marked, after if _cells(after) <= left else _first(after, left - len(_DOTS)) + _DOTS


def _first(text: str, cells: int) -> str:
    taken = 0
    for index, letter in enumerate(text):
        taken += _cells(letter)
        if taken > cells:
            return text[:index]
    return text


def _last(text: str, cells: int) -> str:
    return _first(text[::-1], cells)[::-1]


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
