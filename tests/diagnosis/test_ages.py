"""Ages as kubectl spells them."""

from datetime import UTC, datetime, timedelta

import pytest

from webhook.diagnosis.ages import age_text, ago


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.9, "0s"),
        (-5, "0s"),
        (45, "45s"),
        (60, "1m"),
        (200, "3m20s"),
        (3600, "1h"),
        (3605, "1h"),
        (7500, "2h5m"),
        (277_300, "3d5h"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


def test_ago() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert ago(now - timedelta(minutes=2), now) == "2m"
    assert ago(None, now) == ""
