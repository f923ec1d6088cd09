"""Upstream's Leases: where one is renewed, upstream's controllers run, and Services are theirs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api.wire import parse_time

_PART_OF_NAME: Final = "serving-progressive-rollout"
"""Upstream's module, which is part of the names of the Leases of its controllers."""
_DURATION: Final = 60
"""Seconds; Knative's default, for a Lease that states none."""


def is_held_by_upstream(lease: Mapping[str, Any], now: datetime) -> bool:
    """True for a Lease of upstream's controllers that was renewed within twice its duration."""
    spec = lease.get("spec") or {}
    renewed = parse_time(str(spec.get("renewTime") or ""))
    if _PART_OF_NAME not in str(lease["metadata"]["name"]) or renewed is None:
        return False
    return now - renewed < timedelta(seconds=2 * int(spec.get("leaseDurationSeconds") or _DURATION))
