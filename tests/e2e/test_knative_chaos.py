"""Chaos on real Knative, a short run; ``make chaos-knative`` is the long one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.knative.__main__ import command
from tests.chaos.knative.campaign import Campaign, Plan
from tests.rig import Rig
from tests.rig.stagegate import Stagegate


@pytest.fixture(autouse=True)
def restored(stagegate: Stagegate, inside: None) -> Iterator[None]:
    """Whatever ended runs again afterwards."""
    yield
    stagegate.restore()


def test_webhook_and_loop_that_are_killed_again_and_again_keep_the_laws(
    rig: Rig, stagegate: Stagegate, tmp_path: Path
) -> None:
    plan = Plan(seed=1, kills=6, services=3)
    report = Campaign(rig, stagegate, plan, tmp_path).run()
    assert not report.broken, "\n".join([str(report), *report.broken[:20], f"once more: {command(plan)}"])
    assert report.pinned >= 1
    assert sum(report.disruptions.values()) >= plan.kills
