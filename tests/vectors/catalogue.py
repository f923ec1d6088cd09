"""Which suite judges which file of vectors."""

import re
from collections.abc import Mapping
from functools import cache

from tests.vectors import planning_suites, reconcile_suites, strategy_suites, trace_suite
from tests.vectors.suite import Suite

_NUMBERED = re.compile(r"(?P<stem>.+)_\d+")


@cache
def suites() -> Mapping[str, Suite]:
    """All suites by stem. Raises ValueError when two claim one stem."""
    found: dict[str, Suite] = {}
    for module in (planning_suites, reconcile_suites, strategy_suites, trace_suite):
        for suite in module.SUITES:
            if suite.stem in found:
                raise ValueError(f"two suites for {suite.stem}.jsonl")
            found[suite.stem] = suite
    return found


def stem_of(file_stem: str) -> str | None:
    """The stem of the suite for a file: its own name, or that without a number at its end; None without a suite."""
    if file_stem in suites():
        return file_stem
    numbered = _NUMBERED.fullmatch(file_stem)
    return numbered["stem"] if numbered and numbered["stem"] in suites() else None
