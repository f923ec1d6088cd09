"""``python -m tests.chaos --knative``: kill webhook and loop while Services are edited on real Knative."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.chaos.knative.campaign import Campaign, Plan, Report
from tests.chaos.knative.judge import Judge
from tests.chaos.knative.person import NUMBER, SERVICE
from tests.chaos.report import counted
from tests.controlplane import Unavailable as NoControlPlane
from tests.program import parser_of
from tests.rig import Rig, Unavailable
from tests.rig.stagegate import Stagegate
from tests.rig.timeline import Record

UNAVAILABLE = 3
EXAMPLES: Final = """\
examples:
  python -m tests.chaos --knative
  python -m tests.chaos --knative --kills 5 --keep ./chaos-logs
      a short look whose logs stay
  python -m tests.chaos --knative --judge ./chaos-logs/history.jsonl
      judge its writes once more

exit codes: 0 every rollout is complete and no law was broken, 1 otherwise, 2 wrong usage, 3 Knative cannot be run,
            130 interrupted
"""


def main(arguments: list[str]) -> int:
    """Exit code 0 when every rollout is complete and every law held, else 1; 3 where Knative cannot be run."""
    parser = parser_of(
        "python -m tests.chaos --knative",
        "Kill webhook and loop while Services are edited on Knative's own programs. Needs root.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, metavar="N", help="of all chances")
    add("--kills", type=int, default=40, metavar="N", help="how often a webhook or a loop is killed")
    add("--services", type=int, default=4, metavar="N", help="how many people edit a Service each")
    add("--every", type=float, default=4.0, metavar="S", help="mean seconds between disruptions")
    add("--keep", type=Path, metavar="DIR", help="an empty folder for logs and every write that was stored, to keep")
    add("--within", type=float, default=1800.0, metavar="S", help="seconds for the disruptions")
    add("--judge", type=Path, metavar="FILE", help="judge the writes of a run that was kept, once more")
    options = parser.parse_args(arguments)
    if options.judge:
        return judge_again(options.judge)
    plan = Plan(options.seed, options.kills, options.services, options.every, options.within)
    try:
        with tempfile.TemporaryDirectory(prefix="stagegate-chaos-") as temporary:
            folder = (options.keep or Path(temporary)).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            report = run(plan, folder)
    except (Unavailable, NoControlPlane) as reason:
        print(reason, file=sys.stderr)
        return UNAVAILABLE
    print(report)
    for problem in report.broken[:20]:
        print(f"  {problem}")
    if report.broken:
        print(f"once more: {command(plan)}")
    return 1 if report.broken else 0


def judge_again(file: Path) -> int:
    """Exit code 0 when every law held in the writes of this file, else 1."""
    judge = Judge(SERVICE, NUMBER)
    judge.judge(Record.load(file))
    for version, at, problem in judge.broken:
        print(f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {version}: {problem}")
    print(f"{counted(judge.states, 'state')} judged, {counted(len(judge.broken), 'law')} broken")
    return 1 if judge.broken else 0


def command(plan: Plan) -> str:
    """What replays it."""
    options = f"--seed {plan.seed} --kills {plan.kills} --services {plan.services} --every {plan.every:g}"
    return f"python -m tests.chaos --knative {options}"


def run(plan: Plan, folder: Path) -> Report:
    """One campaign on a rig of its own."""
    with Rig.start() as rig, rig.inside():
        stagegate = Stagegate(rig, folder)
        try:
            stagegate.install()
            stagegate.start()
            return Campaign(rig, stagegate, plan, folder).run()
        finally:
            stagegate.stop()
