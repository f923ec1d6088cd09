"""Cleanup of SPAs whose Revision does not exist; each is spared for a grace period, as its Revision may still come."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from webhook.api import StagePodAutoscaler, wire
from webhook.api.kinds import LOOP_MANAGER
from webhook.loop.planned_writes import DeleteSPA, EmitEvent, PlannedWrite, RequeueAfter

GRACE: Final = timedelta(minutes=5)
SPA_EARLY: Final = "RevisionAwaited"
"""Reason of the Event for an SPA in its grace period."""
SPA_DELETED: Final = "StagePodAutoscalerDeleted"
"""Reason of the Event for an SPA that is deleted because it has no Revision."""

_MAX_SERVICES: Final = 10_000


def is_foreign(spa: StagePodAutoscaler) -> bool:
    """True if another client wrote the SPA: a field manager other than the loop's owns a field outside of its status.

    An SPA without any managers counts as the loop's own.
    """
    entries = wire.sequence(spa.metadata.wire, "managedFields", "metadata")
    return any(
        isinstance(entry, dict) and not entry.get("subresource") and entry.get("manager") != LOOP_MANAGER
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


def plan_cleanup(
    spas: Iterable[StagePodAutoscaler],
    missing_since: Mapping[str, datetime],
    absence: Callable[[str], str | None],
    grace: timedelta,
    now: datetime,
) -> Iterator[PlannedWrite]:
    """The deletions of SPAs without a Revision; for one in its grace period an Event, and another reconcile after it.

    ``missing_since`` holds a time for each, and ``absence`` says why a Revision does not exist, both by name.
    """
    for spa in spas:
        until = spared_until(spa, missing_since[spa.name], grace)
        if until is None or until <= now:
            yield DeleteSPA(spa)
            continue
        why = absence(spa.name) or f"no Revision {spa.name}"
        message = f"StagePodAutoscaler {spa.name} is deleted after {wire.format_time(until)}: {why}"
        yield RequeueAfter(max(1.0, (until - now).total_seconds()))
        yield EmitEvent("Normal", SPA_EARLY, message)


def deletion_event(spa: StagePodAutoscaler, absence: str) -> tuple[str, str, str]:
    """Type, reason and message of the Event for an SPA that was deleted."""
    message = f"StagePodAutoscaler {spa.name} was deleted: {absence}"
    if is_foreign(spa):
        return "Warning", SPA_DELETED, f"{message}; apply it with its Revision, or leave it out: the loop makes it"
    return "Normal", SPA_DELETED, message


class MissingSince:
    """Since when SPAs have been without a Revision. Kept in memory: another process starts their grace period anew."""

    def __init__(self, most: int = _MAX_SERVICES) -> None:
        """``most`` services are remembered, the latest ones."""
        self._most = most
        self._lock = Lock()
        self._times: OrderedDict[tuple[str, str], dict[tuple[str, str], datetime]] = OrderedDict()

    def of(
        self, namespace: str, service: str, spas: Iterable[StagePodAutoscaler], now: datetime
    ) -> dict[str, datetime]:
        """The time for each of these SPAs by name; they are all that the service has without a Revision now."""
        key = namespace, service
        with self._lock:
            before = self._times.pop(key, {})
            times = {(spa.name, spa.metadata.uid): before.get((spa.name, spa.metadata.uid), now) for spa in spas}
            if times:
                self._times[key] = times
                if len(self._times) > self._most:
                    self._times.popitem(last=False)
        return {name: since for (name, _), since in times.items()}
