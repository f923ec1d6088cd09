"""``python -m tests.chaos``: kill the loop some hundreds of times, and see that every law holds."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from sandbox.demo import control_plane
from tests.chaos.campaign import Campaign, Plan
from tests.chaos.knative.__main__ import main as on_knative
from tests.chaos.pair import WAYS
from tests.chaos.report import Report
from tests.controlplane.settings import etcd_socket
from tests.e2e import former_release


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout is complete and every law held, else 1."""
    if "--knative" in arguments:
        return on_knative([argument for argument in arguments if argument != "--knative"])
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--knative", action="store_true", help="Services on real Knative instead; it has options of its own"
    )
    parser.add_argument("--seed", type=seeds, default=[1], metavar="N or N-N", help="one, or several in a row")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--services", type=int, default=36)
    parser.add_argument("--rate", type=float, default=0.08, help="part of the requests that meet with a fault")
    parser.add_argument("--control-plane", choices=("sandbox", "real"), default="sandbox")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for logs and history, to keep")
    parser.add_argument("--within", type=float, default=1800.0, metavar="S", help="seconds for all of it")
    parser.add_argument("--pairs", type=float, default=0.2, help="part of the kills among two loops at once")
    parser.add_argument("--first", default="", metavar="A,B", help="what happens to their leaders first")
    parser.add_argument(
        "--disruptions", type=float, default=8.0, metavar="S", help="mean seconds between disruptions of the webhook"
    )
    parser.add_argument(
        "--jumps", type=float, default=4.0, metavar="S", help="mean seconds between jumps of the clock of a loop"
    )
    options = parser.parse_args(arguments)
    first = tuple(way for way in options.first.split(",") if way)
    if unknown := set(first) - WAYS.keys():
        parser.error(f"--first: {', '.join(unknown)}: not one of {', '.join(WAYS)}")
    grounds, broken = [], 0
    for seed in options.seed:
        plan = Plan(
            seed,
            options.kills,
            options.services,
            options.rate,
            options.pairs,
            first,
            options.disruptions,
            options.within,
            options.jumps,
        )
        with tempfile.TemporaryDirectory(prefix="stagegate-chaos-") as temporary:
            folder = (options.keep / str(seed) if options.keep else Path(temporary)).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            report = run(options.control_plane, plan, folder)
        print(f"seed {seed}: {report}")
        for problem in report.broken[:20]:
            print(f"  {problem}")
        if report.broken:
            print(f"once more: {command(plan, options.control_plane)}")
        sys.stdout.flush()
        broken += bool(report.broken)
        grounds.append(report.ground)
    print("\n".join(sum(grounds[1:], grounds[0]).lines()))
    return 1 if broken else 0


def seeds(text: str) -> list[int]:
    """``20-39`` is twenty of them."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def command(plan: Plan, kind: str) -> str:
    """What replays it."""
    words = ["python -m tests.chaos", f"--seed {plan.seed} --kills {plan.kills} --services {plan.services}"]
    words += [f"--rate {plan.rate:g} --pairs {plan.pairs:g} --disruptions {plan.disruptions:g} --jumps {plan.jumps:g}"]
    words += [f"--control-plane {kind}"]
    words += [f"--first {','.join(plan.first)}"] if plan.first else []
    return " ".join(words)


def run(kind: str, plan: Plan, folder: Path) -> Report:
    """One campaign on a control plane of its own."""
    unpacked = folder / "former"
    former = unpacked if former_release.is_unpacked(unpacked) else None
    if kind == "sandbox":
        from sandbox import Sandbox

        with Sandbox(folder / "sandbox", history=1_000_000, bookmark_seconds=2.0) as sandbox:
            return Campaign(sandbox, plan, folder, sandbox.forget_history, former=former).run()
    with control_plane.real(folder) as plane:
        own: Any = plane
        return Campaign(plane, plan, folder, own.restart_server, etcd_socket(own.directory), former).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
