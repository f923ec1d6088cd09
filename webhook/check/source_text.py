"""The text of a file: from bytes to characters, and from an index to line and column."""

import re
from bisect import bisect_right
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from functools import cached_property
from typing import Final, NamedTuple

MAX_BYTES: Final = 16 * 2**20
"""The longest file that is read."""
MAX_VALUES: Final = 1_000_000
"""The most values of a file that are read, keys counted. They take seconds, and a few hundred megabytes."""

_BREAK: Final = re.compile(r"\r\n|\n|\r")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOM_AT_LINE_START: Final = re.compile("^\ufeff", re.MULTILINE)


class Unreadable(Exception):
    """Why a text cannot be read, where (an index of a character), and the way out."""

    def __init__(self, problem: str, *, index: int = 0, way_out: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.index = index
        self.way_out = way_out


class Position(NamedTuple):
    """A place in a file; both numbers begin at 1, and columns count code points."""

    line: int
    column: int


class SourceText:
    """Characters without byte order marks, and their lines. CR LF, LF and CR end a line, as in editors."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _bounds(self) -> tuple[list[int], list[int]]:
        """The indices at which lines begin, and those at which they end."""
        starts, ends = [0], []
        for found in _BREAK.finditer(self.text):
            ends.append(found.start())
            starts.append(found.end())
        return starts, [*ends, len(self.text)]

    def position(self, index: int) -> Position:
        """The line and column of the character at an index; one past the end is a place too."""
        starts, ends = self._bounds
        row = bisect_right(starts, index) - 1
        return Position(row + 1, min(index, ends[row]) - starts[row] + 1)

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        starts, ends = self._bounds
        return self.text[starts[number - 1] : ends[number - 1]]


def decoded(data: bytes) -> SourceText:
    """The text of a file. Raises Unreadable, which says why in one line."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"is longer than {MAX_BYTES // 2**20} MiB", way_out="split it")
    if data.startswith((BOM_UTF16_BE, BOM_UTF16_LE)):
        raise Unreadable("is in UTF-16", way_out="save it as UTF-8")
    data = data.removeprefix(BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as problem:
        before = len(data[: problem.start].decode())
        shown = SourceText(data.decode(errors="replace"))
        raise UndecodableText(shown, before, data[problem.start]) from None
    # Files that were joined have a mark in the middle, and it would become part of a key.
    return SourceText(_BOM_AT_LINE_START.sub("", text))


class UndecodableText(Unreadable):
    """Bytes that are not UTF-8; ``source`` shows what can be shown of them."""

    def __init__(self, source: SourceText, index: int, byte: int) -> None:
        super().__init__(f"is not UTF-8: byte 0x{byte:02x}", index=index, way_out="save it as UTF-8")
        self.source = source


def check_printable(text: str) -> None:
    """Raises Unreadable for a character that neither YAML nor JSON may contain, such as NUL."""
    if found := _UNPRINTABLE.search(text):
        problem = f"has the control character U+{ord(found[0]):04X}"
        raise Unreadable(problem, index=found.start(), way_out="remove it")
