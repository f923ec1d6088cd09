"""Leases on the wire: who holds one, when it was renewed, and for how long that is valid."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api.wire import parse_time

DEFAULT_DURATION: Final = 15
"""Seconds; the loop's default, for a Lease that states none."""
LONGEST_DURATION: Final = 600
"""Seconds; the most that ``--lease-duration`` takes. A longer duration was written by hand, and counts as this."""


def holder_of(lease: Mapping[str, Any]) -> str:
    """The identity of the holder; empty if the Lease was released."""
    return str(_spec(lease).get("holderIdentity") or "")


def renewed_at(lease: Mapping[str, Any]) -> datetime | None:
    """When the Lease was last renewed, by the clock of its holder; None if it does not say."""
    return parse_time(_spec(lease).get("renewTime"))


def stated_duration(lease: Mapping[str, Any]) -> int | None:
    """The seconds that the Lease states; None if it states none."""
    seconds = _spec(lease).get("leaseDurationSeconds")
    return seconds if type(seconds) is int else None


def duration_of(lease: Mapping[str, Any], default: int = DEFAULT_DURATION) -> int:
    """The seconds for which a renewal is valid: those stated, but no more than LONGEST_DURATION."""
    return min(stated_duration(lease) or default, LONGEST_DURATION)


def is_live(lease: Mapping[str, Any], at: datetime, durations: int = 1) -> bool:
    """True if somebody holds the Lease, and renewed it within so many of its durations before ``at``.

    A renewal as far after ``at`` counts too, since clocks differ. One that is further ahead was written by hand, or by
    a machine whose clock was fast, and says nothing.
    """
    renewed = renewed_at(lease)
    if not holder_of(lease) or renewed is None:
        return False
    return abs(at - renewed) <= timedelta(seconds=durations * duration_of(lease))


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = lease.get("spec")
    return spec if isinstance(spec, Mapping) else {}
