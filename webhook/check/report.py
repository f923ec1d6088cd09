"""What a run found: findings with their places, what was checked, and what was skipped."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from webhook.admission import Default, Effect

Level = Literal["deny", "warn", "note"]
LEVELS: Final[tuple[Level, ...]] = ("note", "warn", "deny")
"""From the mildest to the worst. A note belongs to no rule."""


class Place(NamedTuple):
    """A part of a file. Lines and columns begin at 1 and count code points; ``end_column`` is the one after the end."""

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1


class Excerpt(NamedTuple):
    """A line with the value in it, from index ``start`` to ``end``.

    ``number`` is that of the line, 0 if the line is in rendered text only.
    """

    text: str
    number: int
    start: int
    end: int


class Subject(NamedTuple):
    """The object that a finding is about; empty for a whole file."""

    kind: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.kind else ""


@dataclass(frozen=True, slots=True)
class Located:
    """One finding at its place. ``effect`` is empty for a note; only ``denied`` refuses the write.

    ``id`` is empty for a note.
    """

    place: Place
    excerpt: Excerpt
    level: Level
    effect: Effect | Literal[""]
    id: str
    field: str
    problem: str
    way_out: str
    subject: Subject

    @property
    def text(self) -> str:
        """The finding in one line, without its place."""
        where = f"{self.field}: " if self.field else ""
        why = f" ({EFFECT_WORDS[self.effect]})" if self.effect in EFFECT_WORDS else ""
        return f"{where}{self.problem}{why}"


EFFECT_WORDS: Final[Mapping[str, str]] = {
    "overridden": "overridden by an annotation",
    "controller": "never denied to a controller",
    "ratcheted": "unchanged",
    "unenforced": "not enforced",
}
"""Why a denying finding is only a warning."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An object that was checked, and what the webhook would fill in."""

    subject: Subject
    place: Place
    wire: Any
    fills: tuple[Default, ...] = ()


@dataclass(slots=True)
class Report:
    """The result of a run. ``skipped`` counts objects of other kinds, ``unchanged`` those that are as before."""

    findings: list[Located] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    files: int = 0

    def count(self, level: Level) -> int:
        """How many findings are of a level."""
        return sum(1 for each in self.findings if each.level == level)

    def is_at_least(self, level: Level) -> bool:
        """True if some finding is of this level or a worse one."""
        return any(LEVELS.index(each.level) >= LEVELS.index(level) for each in self.findings)

    @property
    def summary(self) -> str:
        """The run in one line."""
        denials, warnings = self.count("deny"), self.count("warn")
        words = [f"{_number(len(self.checked), 'object')} in {_number(self.files, 'file')} checked"]
        words.append(f"{denials} denied, {_number(warnings, 'warning')}")
        if self.unchanged:
            words.append(f"{self.unchanged} unchanged")
        if self.skipped:
            words.append(f"{self.skipped.total()} of other kinds skipped")
        return ", ".join(words)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
