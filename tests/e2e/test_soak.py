"""A short soak: rollouts begin, change, pause, abort, retry and end, and nothing is left behind."""

from pathlib import Path

import pytest

from tests.soak.__main__ import run


@pytest.mark.usefixtures("binaries_with_controller_manager")
def test_rollouts_without_pause_leave_nothing_behind(tmp_path: Path) -> None:
    report = run(tmp_path, minutes=0.5, people=3)
    assert not report.broken, str(report)
    assert report.plots.total() >= 3
    assert report.events >= report.plots.total()
    assert set(report.samples) == {"webhook", "loop"}
