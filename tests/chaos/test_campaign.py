"""A short campaign: the loop is killed some times and still carries every rollout to its end by the laws."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import command, run
from tests.chaos.campaign import Plan
from tests.chaos.life import BY_KILL
from tests.chaos.pair import FORMER, FREEZE, REFUSE, RESTART, USURP
from tests.e2e import former_release

pytestmark = pytest.mark.integration


def test_a_loop_that_is_killed_again_and_again_keeps_the_laws(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kind = request.config.getoption("--control-plane")
    short = Plan(
        seed=1, kills=6, services=4, pairs=0.7, first=(FORMER, FREEZE), disruptions=3.0, within=400.0, rotations=3.0
    )
    ways = (FREEZE, USURP, REFUSE, FORMER, RESTART)
    longer = Plan(seed=2, kills=20, services=12, pairs=0.3, first=ways, disruptions=5.0, within=600.0, rotations=5.0)
    plan = short if kind == "sandbox" else longer
    report = run(kind, plan, tmp_path)
    assert not report.broken, "\n".join([str(report), *report.broken[:20], f"once more: {command(plan, kind)}"])
    assert report.ends[BY_KILL] >= plan.kills // 2
    assert report.losses >= 1
    assert report.reigns.takeovers >= 1
    assert report.rollouts >= plan.services
    assert report.gaps == 0
    assert report.rotations >= 1
    assert report.jumps >= 1
    assert report.ways[FORMER] == 1 or not former_release.is_unpacked(tmp_path / "again")
