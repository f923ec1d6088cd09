"""Clocks that jump: in the process, and as the judge knows them."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.clocks import WRONG, Clocks
from tests.chaos.entry import wrong_clock
from tests.chaos.ground import Span
from webhook.cluster.clock import SystemClock

MINUTE = timedelta(minutes=1)


def clocks() -> Clocks:
    made = Clocks(random.Random(1), every=4.0)
    made.note("loop-1", 100.0, 3600.0)
    made.note("loop-1", 200.0, -5.0)
    return made


@pytest.mark.parametrize(
    ("who", "at", "seconds"),
    [
        pytest.param("loop-1", 99.0, 0.0, id="before the first jump"),
        pytest.param("loop-1", 150.0, 3600.0, id="while it is ahead"),
        pytest.param("loop-1", 205.0, 3600.0, id="decided on before it went back, perhaps"),
        pytest.param("loop-1", 230.0, 0.0, id="long after it went back: it is behind"),
        pytest.param("loop-2", 150.0, 0.0, id="another process"),
    ],
)
def test_how_far_ahead_a_clock_was_at_most(who: str, at: float, seconds: float) -> None:
    assert clocks().believed(who, at) == timedelta(seconds=seconds)


def test_when_clocks_were_wrong() -> None:
    made = clocks()
    made.note("loop-1", 300.0, 0.0)
    assert made.spans(400.0) == [Span(WRONG, 100.0, 200.0, "loop-1"), Span(WRONG, 200.0, 300.0, "loop-1")]


def test_the_clock_of_a_process_is_wrong_by_what_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock = wrong_clock(SystemClock, file)()
    assert abs(clock.now() - datetime.now(UTC)) < MINUTE
    file.write_text("7200")
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=2)) < MINUTE
    assert clock.boottime() <= SystemClock().boottime()
