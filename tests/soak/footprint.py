"""Footprint: the memory and the file descriptors of a process, and whether they grow."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Final

GROWTH: Final = 1.05
"""The last tenth may be so much above the second; the first warms up."""
_POOLED: Final = 1
"""One descriptor more is no growth, also where it is more than 5 percent: a pool opens another connection once."""
_ESTABLISHED: Final = "01"
_TENTHS: Final = 10


@dataclass(frozen=True, slots=True)
class Sample:
    """``at`` is in seconds since the begin, ``resident`` in bytes.

    ``clients`` are the connections that clients keep open, which ``descriptors`` leave out: how many an API server
    keeps, and for how long after the certificates have changed, is its own affair. One that its client has closed, and
    the process has not, counts as a descriptor.
    """

    at: float
    resident: int
    descriptors: float
    clients: float = 0

    def __str__(self) -> str:
        of_clients = f" and {self.clients:g} connections of clients" if self.clients else ""
        return f"{self.resident / 2**20:.1f} MiB, {self.descriptors:g} descriptors{of_clients}"


def sample(pid: int, at: float, port: int | None = None) -> Sample:
    """What a process of this machine and its children have now; ``port`` is where it listens."""
    family = [pid, *_children(pid)]
    opened = [target for one in family for target in _opened(one)]
    accepted = set() if port is None else _accepted(pid, port)
    clients = sum(target in accepted for target in opened)
    return Sample(at, sum(map(_resident, family)), len(opened) - clients, clients)


def _opened(pid: int) -> Iterator[str]:
    """What the descriptors of a process lead to, as ``socket:[4711]``."""
    for one in Path(f"/proc/{pid}/fd").iterdir():
        # It may be closed meanwhile.
        with suppress(FileNotFoundError):
            yield str(one.readlink())


def _accepted(pid: int, port: int) -> set[str]:
    """The connections to a port that both ends keep open."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, _, state, *rest = line.split()[1:]
            if state == _ESTABLISHED and int(local.rpartition(":")[2], 16) == port:
                found.add(f"socket:[{rest[5]}]")
    return found


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
    """One tenth of the time, the first being 1: the mean of the memory, and the median number of descriptors.

    None without a sample, as when the soak ended early.
    """
    length = seconds / _TENTHS
    found = [one for one in samples if (number - 1) * length <= one.at < number * length]
    if not found:
        return None
    resident, descriptors = (
        round(mean(one.resident for one in found)),
        median(one.descriptors for one in found),
    )
    return Sample(number * length, resident, descriptors, median(one.clients for one in found))


def growth(samples: Sequence[Sample], seconds: float) -> list[str]:
    """What has grown from the second tenth to the last; empty if nothing has.

    Descriptors that came before the middle, and no more since, are no growth either: a pool of connections opens more
    of them the first time that more threads wait for the API server.
    """
    early, middle, late = (tenth(samples, number, seconds) for number in (2, _TENTHS // 2, _TENTHS))
    if early is None or middle is None or late is None:
        return []
    opens_more = all(
        late.descriptors > max(one.descriptors * GROWTH, one.descriptors + _POOLED) for one in (early, middle)
    )
    grown = late.resident > early.resident * GROWTH or opens_more
    return [f"{early} in the second tenth, and {late} in the last"] if grown else []
