"""``python -m tests.soak``: rollouts without pause on a real control plane; nothing may be left behind."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox.demo import control_plane
from sandbox.interruption import run_interruptible
from tests.program import parser_of
from tests.soak.soak import LEAST_MINUTES, Report, Soak
from webhook.cli.errors import CommandError

UNAVAILABLE = 3
PROGRAM: Final = "python -m tests.soak"
EXAMPLES: Final = f"""\
examples:
  python -m tests.soak
      ten minutes, with a line of progress each minute
  python -m tests.soak --minutes 1
      a short look, which judges what is left behind, but no growth: for that it takes {LEAST_MINUTES:g} minutes
  python -m tests.soak --minutes 120 --people 8 --keep ./soak-logs

The control plane is a kube-apiserver and etcd of its own, which are downloaded or built the first time. Ctrl-C ends it
and everything that it started.

exit codes: 0 every rollout ended well, nothing was left behind and nothing grew, 1 otherwise, 2 wrong usage,
            3 no control plane can be had, 130 interrupted
"""


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout ended well and nothing is left behind, else 1; 3 without a control plane."""
    parser = parser_of(
        PROGRAM, "Roll out without pause on a real control plane; nothing may be left behind, or grow.", EXAMPLES
    )
    add = parser.add_argument
    add(
        "--minutes",
        type=float,
        default=10.0,
        metavar="M",
        help="how long people edit; the start and the end come on top",
    )
    add("--people", type=int, default=4, metavar="N", help="who edit one Service each: pause, abort, roll back, delete")
    add("--seed", type=int, default=1, metavar="N", help="of what they do")
    add("--keep", type=Path, metavar="DIR", help="an empty folder for the logs, and memory and files by time, to keep")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="stagegate-soak-") as temporary:
            folder = (options.keep or Path(temporary)).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            report = run(folder, options.minutes, options.people, options.seed)
    except CommandError as reason:
        print(reason, file=sys.stderr)
        return UNAVAILABLE
    print(report)
    return 1 if report.broken else 0


def run(folder: Path, minutes: float, people: int = 4, seed: int = 1) -> Report:
    """One soak on a control plane of its own. Raises CommandError where there is none."""
    with control_plane.real(folder) as plane:
        return Soak(plane, folder, minutes, people, seed, tell).run()


def tell(line: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(run_interruptible(PROGRAM, lambda: main(sys.argv[1:])))
