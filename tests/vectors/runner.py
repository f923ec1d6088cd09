"""Running whole files of vectors, on as many processes as there are processors."""

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vectors.catalogue import stem_of, suites
from tests.vectors.ceilings import Ceilings, breaches
from tests.vectors.judgement import judge
from tests.vectors.rows import UnreadableVectors, name_of, read_rows
from tests.vectors.suite import Suite
from webhook.signals import held_back, let_through

_ROWS_AT_A_TIME = 50
_WRONG_SHOWN = 3


@dataclass
class FileResult:
    """The judgements on one file. ``by_difference`` counts a row once for each difference it shows."""

    name: str
    stem: str
    same: int = 0
    deliberate: int = 0
    by_difference: Counter[str] = field(default_factory=Counter)
    wrong_rows: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return len(self.wrong_rows)

    @property
    def rows(self) -> int:
        return self.same + self.deliberate + self.wrong

    def add(self, other: "FileResult") -> None:
        self.same += other.same
        self.deliberate += other.deliberate
        self.by_difference += other.by_difference
        self.wrong_rows += other.wrong_rows

    def line(self) -> str:
        reasons = ", ".join(f"{name} {count}" for name, count in sorted(self.by_difference.items())) or "none"
        deliberate = f"{self.deliberate} deliberate (by difference: {reasons})"
        return f"{self.name}: {self.same} same, {deliberate}, {self.wrong} wrong"

    def report(self) -> str:
        """The line of this file and the first three wrong rows."""
        return "\n".join([self.line(), *self.wrong_rows[:_WRONG_SHOWN]])


def judge_rows(name: str, suite: Suite, rows: Iterable[Mapping[str, Any]]) -> FileResult:
    """Judge rows one after the other."""
    result = FileResult(name, suite.stem)
    for row in rows:
        judgement = judge(suite, row)
        if judgement.wrong is not None:
            result.wrong_rows.append(judgement.wrong)
        elif judgement.is_same:
            result.same += 1
        else:
            result.deliberate += 1
            result.by_difference.update(judgement.deliberate)
    return result


def judge_file(path: Path) -> FileResult:
    """Judge a file in this process. Raises UnreadableVectors, also when the file belongs to no suite."""
    stem = stem_of(name_of(path))
    if stem is None:
        raise UnreadableVectors(f"{path.name}: no suite of that name")
    return judge_rows(name_of(path), suites()[stem], read_rows(path))


def judge_files(paths: Sequence[Path]) -> Iterator[FileResult]:
    """Judge files on all processors, in order. Raises UnreadableVectors."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_ignore_interrupts) as pool, _cancelled_at_the_end(pool):
        pending = []
        for path in paths:
            rows, stem = read_rows(path), stem_of(name_of(path))
            if stem is None:
                raise UnreadableVectors(f"{path.name}: no suite of that name")
            parts = [rows[i : i + _ROWS_AT_A_TIME] for i in range(0, len(rows), _ROWS_AT_A_TIME)]
            with held_back():
                futures = [pool.submit(_judge_part, name_of(path), stem, part) for part in parts]
            pending.append((name_of(path), stem, futures))
        for name, stem, futures in pending:
            whole = FileResult(name, stem)
            for future in futures:
                whole.add(future.result())
            yield whole


def _ignore_interrupts() -> None:
    """Ctrl-C reaches this process too; it is for the one that started it to end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    let_through()


@contextmanager
def _cancelled_at_the_end(pool: ProcessPoolExecutor) -> Iterator[None]:
    """What has not begun at the end of the block, which an exception may have ended, never begins."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _judge_part(name: str, stem: str, rows: Sequence[Mapping[str, Any]]) -> FileResult:
    return judge_rows(name, suites()[stem], rows)


def ceiling_breaches(results: Iterable[FileResult], ceilings: Ceilings) -> list[str]:
    """Breaches over all files of a suite together, since one set may come in several files."""
    rows: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {}
    for each in results:
        rows[each.stem] += each.rows
        counts.setdefault(each.stem, Counter()).update(each.by_difference)
    return [line for stem in counts for line in breaches(ceilings, stem, rows[stem], counts[stem])]
