"""A short campaign: the loop is killed some times and still carries every rollout to its end by the laws."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import run
from tests.chaos.campaign import Plan, Report

pytestmark = pytest.mark.integration


def again(plan: Plan, report: Report, kind: str) -> str:
    command = (
        f"python -m tests.chaos --seed {plan.seed} --kills {plan.kills} --services {plan.services} --rate {plan.rate}"
        f" --control-plane {kind}"
    )
    return "\n".join([str(report), *report.broken[:20], f"once more: {command}"])


def test_a_loop_that_is_killed_again_and_again_keeps_the_laws(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kind = request.config.getoption("--control-plane")
    short, longer = Plan(seed=1, kills=4, services=4, within=240.0), Plan(seed=2, kills=30, services=18, within=400.0)
    plan = short if kind == "sandbox" else longer
    report = run(kind, plan, tmp_path)
    assert not report.broken, again(plan, report, kind)
    assert report.ends["by SIGKILL"] >= plan.kills * 3 // 4
    assert report.rollouts >= plan.services
