"""Early SPAs: an SPA whose Revision does not exist is spared for a while, since the Revision may still come."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from webhook.api import StagePodAutoscaler, wire

FIELD_MANAGER: Final = "stagegate-loop"
"""The field manager of the loop's own writes."""
GRACE: Final = timedelta(minutes=5)
SPA_EARLY: Final = "RevisionAwaited"
"""Reason of the Event for an SPA that is spared."""
SPA_DELETED: Final = "StagePodAutoscalerDeleted"
"""Reason of the Event for an SPA that is deleted because it has no Revision."""

_MAX_SERVICES: Final = 10_000


def is_foreign(spa: StagePodAutoscaler) -> bool:
    """True if somebody beside the loop wrote the SPA: another field manager has a field outside of its status.

    An SPA without any managers counts as the loop's own.
    """
    entries = wire.sequence(spa.metadata.wire, "managedFields", "metadata")
    return any(
        isinstance(entry, dict) and not entry.get("subresource") and entry.get("manager") != FIELD_MANAGER
        for entry in entries
    )


def spared_until(spa: StagePodAutoscaler, missing_since: datetime, grace: timedelta) -> datetime | None:
    """When the grace period of an SPA without a Revision ends; None if it has none.

    Each has one from its creation. One that somebody else wrote has another from when its Revision was first missing:
    a Git sync would make it again at once.
    """
    created = wire.parse_time(wire.text(spa.metadata.wire, "creationTimestamp", "metadata"))
    starts = [] if created is None else [created]
    if is_foreign(spa):
        starts.append(missing_since)
    return max(starts) + grace if starts else None


class MissingSince:
    """Since when SPAs have been without a Revision. Kept in memory: another process starts their grace anew."""

    def __init__(self, most: int = _MAX_SERVICES) -> None:
        """``most`` services are remembered, the latest ones."""
        self._most = most
        self._lock = Lock()
        self._times: OrderedDict[tuple[str, str], dict[tuple[str, str], datetime]] = OrderedDict()

    def of(
        self, namespace: str, service: str, spas: Iterable[StagePodAutoscaler], now: datetime
    ) -> dict[str, datetime]:
        """The time by name for each of these SPAs, all that the service has without a Revision now."""
        key = namespace, service
        with self._lock:
            before = self._times.pop(key, {})
            times = {(spa.name, spa.metadata.uid): before.get((spa.name, spa.metadata.uid), now) for spa in spas}
            if times:
                self._times[key] = times
                if len(self._times) > self._most:
                    self._times.popitem(last=False)
        return {name: since for (name, _), since in times.items()}
