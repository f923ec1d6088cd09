"""Reading: the source, read once for each of its versions."""

import threading

from webhook.api import MalformedObject
from webhook.diagnosis.snapshot import Snapshot, snapshot_of
from webhook.diagnosis.summary import Summary, summarise, unreadable
from webhook.diagnosis.world import World
from webhook.web.history import History
from webhook.web.source import Source


class Reading:
    """The world of one version, and what is worked out of it, once for all who ask at the same time."""

    def __init__(self, source: Source, history: History) -> None:
        self._source, self._history = source, history
        self._lock = threading.RLock()
        self._world: World | None = None
        self._snapshots: list[Snapshot] = []
        self._unread: list[Summary] = []
        self._summaries: list[Summary] | None = None
        self._seen = -1, 0

    def world(self) -> World:
        """The world as it is now; what it shows of each rollout is in the history."""
        with self._lock:
            version, world = self._source.version(), self._source.world()
            seen = version, int(world.at.timestamp())
            if self._world is None or seen != self._seen:
                snapshots, self._unread = _read(world)
                self._history.note(snapshots)
                # What raised an exception is tried again.
                self._world, self._seen, self._summaries, self._snapshots = world, seen, None, snapshots
            return self._world

    def summaries(self) -> list[Summary]:
        """The summary of each rollout."""
        with self._lock:
            self.world()
            if self._summaries is None:
                self._summaries = [*map(summarise, self._snapshots), *self._unread]
            return self._summaries


def _read(world: World) -> tuple[list[Snapshot], list[Summary]]:
    """The snapshots of all rollouts, and a summary for each that cannot be read."""
    snapshots, unread = [], []
    for namespace, name in world.rollouts():
        try:
            found = snapshot_of(world, namespace, name)
        except MalformedObject as problem:
            unread.append(unreadable(namespace, name, str(problem)))
        else:
            if found is not None:
                snapshots.append(found)
    return snapshots, unread
