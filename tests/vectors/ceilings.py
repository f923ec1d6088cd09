"""Ceilings: how many rows of a suite may differ from upstream for one reason."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

Ceilings = Mapping[str, Mapping[str, float]]

_FILE = Path(__file__).with_name("ceilings.json")


def committed_ceilings() -> Ceilings:
    """Shares of the rows by suite and difference, as committed beside this file."""
    ceilings: Ceilings = json.loads(_FILE.read_text())
    return ceilings


def limit(share: float, rows: int) -> int:
    """The most rows that may count for a difference.

    The ceiling is a share, since sets of vectors come in all sizes. A set of rows drawn by chance scatters around it,
    so three standard deviations and three rows are left on top.
    """
    usual = share * rows
    return math.floor(usual + 3 * math.sqrt(usual)) + 3


def breaches(ceilings: Ceilings, stem: str, rows: int, counts: Mapping[str, int]) -> list[str]:
    """One line for each difference that counts more rows than its ceiling, or has no ceiling at all."""
    shares, lines = ceilings.get(stem, {}), []
    for name, count in sorted(counts.items()):
        if name not in shares:
            lines.append(f"{stem}: {name} counts {count} rows and has no ceiling")
        elif count > limit(shares[name], rows):
            lines.append(
                f"{stem}: {name} counts {count} of {rows} rows, above the ceiling of {limit(shares[name], rows)}"
            )
    return lines
