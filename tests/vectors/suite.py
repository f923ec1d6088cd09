"""What a file of vectors needs to be judged: how to answer a row, and where we differ on purpose."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True)
class Vector:
    """One recorded row. ``expected`` is what upstream answered."""

    id: str
    input: dict[str, Json]
    expected: dict[str, Json]


@dataclass(frozen=True)
class Difference:
    """A deliberate difference from upstream, judged by code that does not import the function under test.

    ``holds`` says from the row alone whether the condition of the difference holds on it. ``objection`` is None
    where our answer has the property that the difference promises, else one line saying what is wrong with it.
    """

    name: str
    holds: Callable[[Vector], bool]
    objection: Callable[[Vector, Json], str | None]


def same(expected: Json, answer: Json) -> bool:
    return bool(expected == answer)


@dataclass(frozen=True)
class Suite:
    """The vectors of the files named ``stem.jsonl`` or ``stem_N.jsonl``."""

    stem: str
    answer: Callable[[dict[str, Json]], Json]
    differences: tuple[Difference, ...] = ()
    equal: Callable[[Json, Json], bool] = same
