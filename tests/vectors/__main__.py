"""``python -m tests.vectors [DIR]``: every recorded row of upstream's behaviour, judged.

Exits 0 when nothing is wrong, 1 when a row is wrong or a difference counts more rows than its ceiling, 2 when the
directory holds a file that cannot be judged or none at all, 3 when it is missing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.interruption import run_interruptible
from tests.vectors.catalogue import stem_of
from tests.vectors.ceilings import committed_ceilings
from tests.vectors.rows import RECORDED, UnreadableVectors, files_in, name_of
from tests.vectors.runner import FileResult, ceiling_breaches, judge_files

EXIT_WRONG, EXIT_USAGE, EXIT_MISSING = 1, 2, 3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vectors", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=RECORDED, metavar="DIR")
    directory: Path = parser.parse_args(arguments).directory
    if not directory.is_dir():
        print(f"{directory}: no such directory; name the one that holds the vectors", file=sys.stderr)
        return EXIT_MISSING
    paths = files_in(directory)
    unknown = [path for path in paths if stem_of(name_of(path)) is None]
    known = [path for path in paths if path not in unknown]
    try:
        results = run(known)
    except UnreadableVectors as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    breaches = ceiling_breaches(results, committed_ceilings())
    for line in breaches:
        print(line)
    for path in unknown:
        print(f"{path}: no suite of that name", file=sys.stderr)
    if not paths:
        print(f"{directory}: no vectors (*.jsonl, *.jsonl.xz) in it", file=sys.stderr)
    if breaches or any(result.wrong for result in results):
        return EXIT_WRONG
    return EXIT_USAGE if unknown or not paths else 0


def run(paths: Sequence[Path]) -> list[FileResult]:
    """Judge files and print the report of each as soon as it is there."""
    results = []
    for result in judge_files(paths):
        print(result.report(), flush=True)
        results.append(result)
    return results


if __name__ == "__main__":
    sys.exit(run_interruptible("python -m tests.vectors", lambda: main(sys.argv[1:])))
