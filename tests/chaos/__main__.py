"""``python -m tests.chaos``: kill the loop some hundreds of times, and see that every law holds."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Campaign, Plan, Report
from webhook.cli.demo import control_plane


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout is complete and every law held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--services", type=int, default=36)
    parser.add_argument("--rate", type=float, default=0.08, help="part of the requests that meet with a fault")
    parser.add_argument("--control-plane", choices=("sandbox", "real"), default="sandbox")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the loop's log and the history there")
    parser.add_argument("--within", type=float, default=1800.0, metavar="S", help="seconds for all of it")
    options = parser.parse_args(arguments)
    plan = Plan(options.seed, options.kills, options.services, options.rate, within=options.within)
    again = (
        f"python -m tests.chaos --seed {plan.seed} --kills {plan.kills} --services {plan.services} --rate {plan.rate}"
    )
    again += f" --control-plane {options.control_plane}"
    with tempfile.TemporaryDirectory(prefix="stagegate-chaos-") as temporary:
        try:
            report = run(options.control_plane, plan, Path(temporary))
        except AssertionError as late:
            report = Report(broken=[str(late)])
        for name in ("loop.log", "history.jsonl"):
            source = Path(temporary) / name
            if options.keep is not None and source.exists():
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / name).write_bytes(source.read_bytes())
    print(report)
    for problem in report.broken[:20]:
        print(f"  {problem}")
    if report.broken:
        print(f"once more: {again}")
    return 1 if report.broken else 0


def run(kind: str, plan: Plan, folder: Path) -> Report:
    """One campaign on a control plane of its own."""
    if kind == "sandbox":
        from webhook.sandbox import Sandbox

        with Sandbox(folder / "sandbox", history=1_000_000, bookmark_seconds=2.0) as sandbox:
            return Campaign(sandbox, plan, folder, sandbox.forget_history).run()
    with control_plane.real(folder) as plane:
        restart = getattr(plane, "restart_server", lambda: None)
        return Campaign(plane, plan, folder, restart).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
