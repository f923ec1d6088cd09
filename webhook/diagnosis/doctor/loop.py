"""The loop: whether one leads, and whether its Lease is renewed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from webhook.api.lease import holder_of, is_live, renewed_at
from webhook.diagnosis.doctor.installation import Installation, Unread, place_of
from webhook.diagnosis.doctor.result import FAILED, OK, UNKNOWN, Result, listed

_DURATIONS: Final = 2
"""A Lease renewed within so many of its durations is valid; clocks of two machines never agree wholly."""


def check(seen: Installation) -> Iterator[Result]:
    leases = seen.leases
    start = f"see that the loop runs: kubectl -n {seen.namespace} get pods"
    if isinstance(leases, Unread):
        yield Result("loop-leader", UNKNOWN, f"the Leases cannot be read: {leases.why}")
        return
    held = [lease for lease in leases if holder_of(lease)]
    if not held:
        yield Result("loop-leader", FAILED, "no loop leads, so no rollout moves", start)
        return
    leaders = sorted(f"{holder_of(lease)} (Lease {place_of(lease)})" for lease in held)
    yield Result("loop-leader", OK, f"leads: {listed(leaders)}")
    stale = [lease for lease in held if not leads(lease, seen.now)]
    ages = [age for lease in stale or held if (age := _age(lease, seen.now)) is not None]
    if stale:
        says = f"Lease {listed([place_of(lease) for lease in stale])} was renewed last {_oldest(ages)}"
        yield Result("loop-lease", FAILED, says, f"{start}; if it does, compare the clocks")
    else:
        yield Result("loop-lease", OK, f"renewed {max(max(ages), 0):.0f} s ago")


def leads(lease: Mapping[str, Any], now: datetime) -> bool:
    """True if the Lease is held, and was renewed in time as far as the clocks can say."""
    return is_live(lease, now, _DURATIONS)


def _oldest(ages: Sequence[float]) -> str:
    if not ages:
        return "at an unknown time, so that nobody knows if it is valid"
    if max(ages) < 0:
        return f"{-min(ages):.0f} s in the future: the clocks differ, or somebody edited it"
    return f"{max(ages):.0f} s ago, which is longer than it is valid"


def _age(lease: Mapping[str, Any], now: datetime) -> float | None:
    renewed = renewed_at(lease)
    return None if renewed is None else (now - renewed).total_seconds()
