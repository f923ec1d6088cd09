"""``python -m tests.soak``: rollouts without pause on a real control plane; nothing may be left behind."""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sandbox.demo import control_plane
from tests.soak.soak import Report, Soak
from webhook.cli.errors import CommandError

UNAVAILABLE = 3


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout ended well and nothing is left behind, else 1; 3 without a control plane."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for the logs, to keep")
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
    sys.exit(main(sys.argv[1:]))
