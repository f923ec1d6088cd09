"""The judgement of one row: the same as upstream, different on purpose, or wrong."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.vectors.comparison import differences, shown
from tests.vectors.suite import Difference, Suite, Vector

_PATHS_SHOWN = 12


@dataclass(frozen=True)
class Judgement:
    """``deliberate`` names the differences that a row counts for; ``wrong`` is the whole story of a wrong one."""

    deliberate: tuple[str, ...] = ()
    wrong: str | None = None

    @property
    def is_same(self) -> bool:
        return not self.deliberate and self.wrong is None


def judge(suite: Suite, row: Mapping[str, Any]) -> Judgement:
    """Answer a row and judge the answer.

    An answer unlike upstream's counts as deliberate only if the condition of at least one difference holds on the row,
    and if the answer has the property of every difference whose condition holds.
    """
    vector = Vector(row["id"], row["input"], row["expected"])
    try:
        answer = suite.answer(vector.input)
        if suite.equal(vector.expected, answer):
            return Judgement()
        holding = [difference for difference in suite.differences if difference.holds(vector)]
        objections = _objections(holding, vector, answer)
    except Exception:
        return Judgement(wrong=_story(vector, [traceback.format_exc().rstrip()]))
    if not holding:
        return Judgement(wrong=_story(vector, ["no difference allows this", *_paths(vector.expected, answer)]))
    if objections:
        return Judgement(wrong=_story(vector, [*objections, *_paths(vector.expected, answer)]))
    return Judgement(deliberate=tuple(difference.name for difference in holding))


def _objections(holding: list[Difference], vector: Vector, answer: Any) -> list[str]:
    answers = ((difference.name, difference.objection(vector, answer)) for difference in holding)
    return [f"{name} holds, but {objection}" for name, objection in answers if objection is not None]


def _story(vector: Vector, lines: list[str]) -> str:
    excerpt = [f"input.{key}: {shown(value, 400)}" for key, value in sorted(vector.input.items())]
    return "\n".join([vector.id, *(f"  {line}" for line in [*excerpt, *"\n".join(lines).splitlines()])])


def _paths(expected: Any, answer: Any) -> list[str]:
    found = list(differences(expected, answer))
    lines = [f"{path}: expected {shown(wanted)}, answered {shown(got)}" for path, wanted, got in found[:_PATHS_SHOWN]]
    if len(found) > _PATHS_SHOWN:
        lines.append(f"and {len(found) - _PATHS_SHOWN} more places")
    return lines
