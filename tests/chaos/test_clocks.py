"""Clocks that jump: in the process, and as the judge knows them."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chaos.clocks import WEBHOOK_WRONG, WRONG, Clocks, set_clock
from tests.chaos.entry import wrong_datetime
from tests.chaos.ground import Span

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
        pytest.param("loop-1", 255.0, 3600.0, id="decided on before it went back, perhaps"),
        pytest.param("loop-1", 265.0, 0.0, id="long after it went back: it is behind"),
        pytest.param("loop-2", 150.0, 0.0, id="another process"),
    ],
)
def test_how_far_ahead_a_clock_was_at_most(who: str, at: float, seconds: float) -> None:
    assert clocks().believed(who, at) == timedelta(seconds=seconds)


def test_when_clocks_were_wrong() -> None:
    made = clocks()
    made.note("loop-1", 300.0, 0.0)
    made.note("webhook", 350.0, 90.0)
    assert made.spans(400.0) == [
        Span(WRONG, 100.0, 200.0, "loop-1"),
        Span(WRONG, 200.0, 300.0, "loop-1"),
        Span(WEBHOOK_WRONG, 350.0, 400.0),
    ]


def test_the_clock_of_a_process_is_wrong_by_what_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    wrong = wrong_datetime(datetime, file)
    assert abs(wrong.now(UTC) - datetime.now(UTC)) < MINUTE
    set_clock(file, 7200.0)
    assert abs(wrong.now(UTC) - datetime.now(UTC) - timedelta(hours=2)) < MINUTE
    assert isinstance(datetime.now(UTC), wrong)
    assert wrong.fromisoformat("2026-01-01T12:00:00+00:00") == datetime(2026, 1, 1, 12, tzinfo=UTC)
