"""Bounds of the values in a text of YAML: how deep they are nested, and how many more aliases make of them."""

from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 200
"""How deep objects and lists may be nested, aliases followed."""

MAX_REPEATED: Final = 1_000_000
"""The most values for which the aliases of a text may stand."""

_LONGEST_NAME: Final = 64


class OutOfBounds(ValueError):
    """What the text is or has that makes reading it endless or too recursive, and the way out."""

    def __init__(self, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out


@dataclass(slots=True)
class _Open:
    """An object or a list that has not ended: how many values it has so far, and how deep they are nested."""

    anchor: str | None
    values: int = 1
    height: int = 1


class ValueBounds:
    """Counts the values of a text as a parser comes upon them. Every method may raise OutOfBounds.

    ``most`` is the number of values that may be written in the text, keys counted; without it there is no bound.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._written = 0
        self._repeated = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[int, int] | None] = {}

    def begin_document(self) -> None:
        """Anchors hold for one document."""
        self._open.clear()
        self._anchors.clear()

    def begin(self, anchor: str | None) -> None:
        """An object or a list begins."""
        self._check_depth(1)
        self._count()
        self._open.append(_Open(anchor))
        if anchor is not None:
            self._anchors[anchor] = None

    def end(self) -> None:
        """The object or list that began last ends."""
        ended = self._open.pop()
        self._add(ended.anchor, ended.values, ended.height)

    def scalar(self, anchor: str | None) -> None:
        self._count()
        self._add(anchor, 1, 0)

    def alias(self, name: str) -> None:
        found = self._anchors.get(name)
        shown = name[:_LONGEST_NAME]
        if name not in self._anchors:
            raise OutOfBounds(
                f"has the alias *{shown} without an anchor &{shown} before it",
                f"put &{shown} before the value that is meant, or quotes around a text that begins with *",
            )
        if found is None:
            raise OutOfBounds(f"has the alias *{shown} inside what it stands for", "write the value in its place")
        values, height = found
        self._repeated += values
        if self._repeated > MAX_REPEATED:
            raise OutOfBounds(f"has aliases that stand for more than {MAX_REPEATED:,} values", "use fewer aliases")
        self._check_depth(height)
        self._add(None, values, height)

    def _count(self) -> None:
        self._written += 1
        if self._most is not None and self._written > self._most:
            raise OutOfBounds(f"has more than {self._most:,} values, which no API server takes", "split it")

    def _add(self, anchor: str | None, values: int, height: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = values, height
        if self._open:
            parent = self._open[-1]
            parent.values += values
            parent.height = max(parent.height, height + 1)

    def _check_depth(self, height: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise OutOfBounds(f"is nested more than {MAX_DEPTH} deep", "make it flatter")
