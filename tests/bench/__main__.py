"""``python -m tests.bench [NAME [OPTION ...]]``: run one bench, or all of them with their defaults."""

import importlib
import sys

from sandbox.interruption import run_interruptible
from tests.bench import BENCHES


def main(arguments: list[str]) -> int:
    """Exit code 0 when every figure was reached, 1 when one was not, 2 for a wrong name."""
    names = arguments[:1] or list(BENCHES)
    if names[0] not in BENCHES:
        width = max(map(len, BENCHES))
        print("usage: python -m tests.bench [NAME [OPTION ...]]\n", file=sys.stderr)
        for name, summary in BENCHES.items():
            print(f"  {name:{width}}  {summary}", file=sys.stderr)
        return 0 if names[0] in ("-h", "--help") else 2
    codes: list[int] = [importlib.import_module(f"tests.bench.{name}").main(arguments[1:]) for name in names]
    return max(codes)


if __name__ == "__main__":
    sys.exit(run_interruptible("python -m tests.bench", lambda: main(sys.argv[1:])))
