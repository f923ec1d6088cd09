"""Footprint: the memory and the file descriptors of a process, and whether they grow."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GROWTH: Final = 1.05
"""The last tenth may be so much above the second; the first warms up."""
_POOLED: Final = 2
"""Descriptors that are no growth: a pool opens another connection when all are in use, and keeps it."""
_TENTHS: Final = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` is in seconds since the begin, ``resident`` in bytes."""

    at: float
    resident: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.resident / 2**20:.1f} MiB, {self.descriptors} descriptors"


def sample(pid: int, at: float) -> Sample:
    """What a process of this machine and its children have now."""
    family = [pid, *_children(pid)]
    return Sample(at, sum(map(_resident, family)), sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in family))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += map(int, _words(task / "children"))
    return [*found, *(each for child in found for each in _children(child))]


def _resident(pid: int) -> int:
    words = _words(Path(f"/proc/{pid}/status"))
    return int(words[words.index("VmRSS:") + 1]) * 1024


def _words(file: Path) -> list[str]:
    return file.read_text().split()


def tenth(samples: Sequence[Sample], number: int, seconds: float) -> Sample | None:
    """One tenth of the time, the first being 1: the mean of the memory, and the least number of descriptors.

    None without a sample, as when the soak ended early.

    Connections come and go: what is never closed shows in the least number.
    """
    length = seconds / _TENTHS
    found = [one for one in samples if (number - 1) * length <= one.at < number * length]
    if not found:
        return None
    resident = sum(one.resident for one in found) / len(found)
    return Sample(number * length, round(resident), min(one.descriptors for one in found))


def growth(samples: Sequence[Sample], seconds: float) -> list[str]:
    """What has grown from the second tenth to the last; empty if nothing has."""
    early, late = tenth(samples, 2, seconds), tenth(samples, _TENTHS, seconds)
    if early is None or late is None:
        return []
    most = max(early.descriptors * GROWTH, early.descriptors + _POOLED)
    grown = late.resident > early.resident * GROWTH or late.descriptors > most
    return [f"{early} in the second tenth, and {late} in the last"] if grown else []
