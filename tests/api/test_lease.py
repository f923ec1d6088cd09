"""Leases on the wire, at noon: who holds one, and whether it is live."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhook.api.lease import duration_of, holder_of, is_live, renewed_at
from webhook.api.wire import format_time

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def lease(age: float, seconds: Any = 15, holder: str = "loop-a") -> dict[str, Any]:
    time = format_time(NOON - timedelta(seconds=age))
    return {"spec": {"holderIdentity": holder, "renewTime": time, "leaseDurationSeconds": seconds}}


@pytest.mark.parametrize(
    ("one", "live", "live_for_two"),
    [
        (lease(0), True, True),
        (lease(15), True, True),
        (lease(16), False, True),
        (lease(31), False, False),
        (lease(-15), True, True),
        (lease(-16), False, True),
        (lease(-3600), False, False),
        (lease(0, holder=""), False, False),
        (lease(600, 10**9), True, True),
        (lease(1201, 10**9), False, False),
        (lease(15, None), True, True),
        (lease(16, "600"), False, True),
        ({"spec": {"holderIdentity": "loop-a", "renewTime": "noon"}}, False, False),
        ({"spec": {"holderIdentity": "loop-a"}}, False, False),
        ({"spec": "?"}, False, False),
        ({}, False, False),
    ],
)
def test_a_lease_is_live_near_its_renewal(one: dict[str, Any], live: bool, live_for_two: bool) -> None:
    assert (is_live(one, NOON), is_live(one, NOON, 2)) == (live, live_for_two)


def test_what_a_lease_says() -> None:
    one = lease(5, 30)
    assert (holder_of(one), renewed_at(one), duration_of(one)) == ("loop-a", NOON - timedelta(seconds=5), 30)
    assert (holder_of({}), renewed_at({}), duration_of({}), duration_of({}, 60)) == ("", None, 15, 60)
