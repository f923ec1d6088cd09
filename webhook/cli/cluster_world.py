"""The world of a cluster at the time of the cluster, whatever the clock of this machine says."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from webhook.diagnosis.reading import Reader
    from webhook.diagnosis.world import World

_RENEWAL: Final = 3.0
"""Seconds after which a loop that leads has renewed its Lease."""


def now() -> datetime:
    return datetime.now(UTC)


def read_cluster(
    reader: "Reader",
    namespace: str | None,
    *,
    name: str = "",
    selector: str = "",
    now: Callable[[], datetime] = now,
    sleep: Callable[[float], None] = time.sleep,
) -> "World":
    """The world of a namespace, None for all, or of one rollout. Raises ApiError.

    Where no Lease seems to be valid, the clock of this machine may differ from the cluster's: a Lease that is renewed
    meanwhile is valid, and gives the time of the cluster.
    """
    from webhook.api.lease import is_live, renewed_at
    from webhook.cluster.resource import LEASES
    from webhook.diagnosis.reading import read_world
    from webhook.diagnosis.world import World

    world = read_world(reader, namespace, now(), name=name, selector=selector)
    leases = world.objects_of(LEASES)
    if not leases or any(is_live(lease, world.at) for lease in leases):
        return world
    sleep(_RENEWAL)
    again = read_world(reader, None, now(), resources=(LEASES,)).objects_of(LEASES)
    before = {renewed_at(lease) for lease in leases}
    later = [each for lease in again if (each := renewed_at(lease)) is not None and each not in before]
    at = max(later, default=now())
    return World({**world.objects, LEASES: again}, at, world.unread, world.installed_in)
