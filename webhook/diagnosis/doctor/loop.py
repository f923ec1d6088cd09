"""The loop: whether one leads, and whether its Lease is renewed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from webhook.api.wire import parse_time
from webhook.diagnosis.doctor.installation import Installation, Unread, place_of
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, Result, listed

_DURATION: Final = 15.0
"""Seconds; the loop's default, for a Lease that states none."""


def check(seen: Installation) -> Iterator[Result]:
    leases = seen.leases
    start = f"see that the loop runs: kubectl -n {seen.namespace} get pods"
    if isinstance(leases, Unread):
        yield Result("loop-leader", UNKNOWN, f"the Leases cannot be read: {leases.why}")
        return
    held = [lease for lease in leases if (lease.get("spec") or {}).get("holderIdentity")]
    if not held:
        yield Result("loop-leader", FAILED, "no loop leads, so no rollout moves", start)
        return
    leaders = sorted(f"{lease['spec']['holderIdentity']} (Lease {place_of(lease)})" for lease in held)
    yield Result("loop-leader", OK, f"leads: {listed(leaders)}")
    stale = [place_of(lease) for lease in held if not is_live(lease, seen.now)]
    ages = [age for lease in held if (age := _age(lease, seen.now)) is not None]
    if stale:
        oldest = f"{max(ages):.0f} s ago" if ages else "at an unknown time"
        says = f"Lease {listed(stale)} was renewed last {oldest}, which is longer than it is valid"
        yield Result("loop-lease", FAILED, says, f"{start}; if it does, compare the clocks")
    else:
        yield Result("loop-lease", OK, f"renewed {max(max(ages), 0):.0f} s ago")


def is_live(lease: Mapping[str, Any], now: datetime) -> bool:
    """True if the Lease was renewed within twice its duration; clocks of two machines never agree wholly."""
    duration = float((lease.get("spec") or {}).get("leaseDurationSeconds") or _DURATION)
    age = _age(lease, now)
    return age is not None and age <= 2 * duration


def _age(lease: Mapping[str, Any], now: datetime) -> float | None:
    renewed = parse_time(str((lease.get("spec") or {}).get("renewTime") or ""))
    return None if renewed is None else (now - renewed).total_seconds()
