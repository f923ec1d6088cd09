"""History: traffic and replicas of each rollout as they were observed since the process began, in memory."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhook.diagnosis.snapshot import Snapshot

Key = tuple[str, str, str]
"""Namespace, name and uid of a rollout."""

_MOST_MOMENTS: Final = 40
_MOST_ROLLOUTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Observed:
    """One moment: percents of traffic and replicas that run, by revision, and the entries of the stage."""

    at: datetime
    traffic: Mapping[str, int]
    replicas: Mapping[str, int]
    stage: tuple[tuple[str, int | None], ...]


class History:
    """The latest moments of each rollout that differ from the one before. Safe to use from several threads."""

    def __init__(self) -> None:
        self._moments: dict[Key, list[Observed]] = {}
        self._lock = threading.Lock()

    def note(self, snapshots: Iterable[Snapshot]) -> None:
        """Record what these snapshots show, where it differs from the moment before."""
        with self._lock:
            for snapshot in snapshots:
                moments = self._moments.setdefault(key_of(snapshot), [])
                seen = observed(snapshot)
                if not moments or _differs(moments[-1], seen):
                    moments.append(seen)
                    del moments[:-_MOST_MOMENTS]
            while len(self._moments) > _MOST_ROLLOUTS:
                del self._moments[next(iter(self._moments))]

    def of(self, snapshot: Snapshot) -> list[Observed]:
        """The moments of a rollout, the oldest first; the last is that of the snapshot."""
        self.note([snapshot])
        with self._lock:
            return list(self._moments.get(key_of(snapshot), ()))


def key_of(snapshot: Snapshot) -> Key:
    return snapshot.namespace, snapshot.name, snapshot.ro.metadata.uid


def observed(snapshot: Snapshot) -> Observed:
    """What a snapshot shows; without a Route the traffic of its stage."""
    spec = snapshot.ro.spec
    stage = spec.stage_target_revisions
    wished = {entry.revision_name: entry.percent or 0 for entry in stage or spec.initial_revisions}
    traffic = wished if snapshot.traffic is None else dict(snapshot.traffic)
    replicas = {name: one.running or 0 for name, one in snapshot.revisions.items()}
    return Observed(snapshot.at, traffic, replicas, tuple((one.revision_name, one.percent) for one in stage))


def _differs(one: Observed, other: Observed) -> bool:
    return (one.traffic, one.replicas, one.stage) != (other.traffic, other.replicas, other.stage)
