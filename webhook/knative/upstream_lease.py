"""Upstream's Leases: where one is renewed, upstream's controllers run, and Services are theirs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from webhook.api.lease import duration_of, renewed_at

_PART_OF_NAME: Final = "serving-progressive-rollout"
"""Upstream's module, which is part of the names of the Leases of its controllers."""
_DURATION: Final = 60
"""Seconds; Knative's default, for a Lease that states none."""


def is_held_by_upstream(lease: Mapping[str, Any], now: datetime) -> bool:
    """True for a Lease of upstream's controllers that was renewed within twice its duration, or in the future.

    Where the clocks differ, it is safer to leave the Services to upstream.
    """
    renewed = renewed_at(lease)
    if _PART_OF_NAME not in str(lease["metadata"]["name"]) or renewed is None:
        return False
    return now - renewed < timedelta(seconds=2 * duration_of(lease, _DURATION))
