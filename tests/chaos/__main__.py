"""``python -m tests.chaos``: kill the loop some hundreds of times, and see that every law holds."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from sandbox.demo import control_plane
from sandbox.interruption import run_interruptible
from tests.chaos.campaign import Campaign, Plan
from tests.chaos.knative.__main__ import main as on_knative
from tests.chaos.pair import WAYS
from tests.chaos.report import Report
from tests.controlplane.settings import etcd_socket
from tests.e2e import former_release
from tests.program import parser_of

PROGRAM: Final = "python -m tests.chaos"
EXAMPLES: Final = """\
examples:
  python -m tests.chaos
      200 kills with the chances of seed 1; about 10 minutes
  python -m tests.chaos --kills 5 --services 4
      a short look
  python -m tests.chaos --seed 20-39 --kills 50
      twenty campaigns, one after the other
  python -m tests.chaos --control-plane real --keep ./chaos-logs
      on a kube-apiserver and etcd of its own; logs, and every version of every object, stay in ./chaos-logs/SEED
  python -m tests.chaos --knative --help
      the options of campaigns on real Knative

A campaign prints what it did, each law that was broken with the object, and how to run it once more. Ctrl-C ends it
and everything that it started.

exit codes: 0 every rollout is complete and no law was broken, 1 otherwise, 2 wrong usage, 130 interrupted
"""


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout is complete and every law held, else 1."""
    if "--knative" in arguments:
        return on_knative([argument for argument in arguments if argument != "--knative"])
    parser = parser_of(
        PROGRAM, "Kill the loop some hundreds of times while rollouts go on, and see that every law holds.", EXAMPLES
    )
    add = parser.add_argument
    add("--knative", action="store_true", help="Services on real Knative instead; it has options of its own")
    add("--seed", type=seeds, default="1", metavar="N[-N]", help="of all chances; a range is a campaign for each")
    add("--kills", type=int, default=200, metavar="N", help="how often a process of the loop is killed")
    add("--services", type=int, default=36, metavar="N", help="how many Services roll out at a time")
    add("--rate", type=float, default=0.08, metavar="PART", help="part of the loop's requests that meet with a fault")
    add("--control-plane", choices=("sandbox", "real"), default="sandbox", help="the API server to run on")
    add("--keep", type=Path, metavar="DIR", help="an empty folder for logs and history, to keep")
    add("--within", type=float, default=1800.0, metavar="S", help="seconds for all of it; then rollouts are late")
    add("--pairs", type=float, default=0.2, metavar="PART", help="part of the kills among two loops at once")
    ways = ", ".join(sorted(WAYS))
    add("--first", default="", metavar="A,B", help=f"what happens to leaders of two loops first; of: {ways}")
    add("--disruptions", type=float, default=8.0, metavar="S", help="mean seconds between disruptions of the webhook")
    add("--jumps", type=float, default=4.0, metavar="S", help="mean seconds between jumps of the clock of a loop")
    options = parser.parse_args(arguments)
    first = tuple(way for way in options.first.split(",") if way)
    if unknown := set(first) - WAYS.keys():
        parser.error(f"--first: {', '.join(sorted(unknown))}: not one of {ways}")
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
    sys.exit(run_interruptible(PROGRAM, lambda: main(sys.argv[1:])))
