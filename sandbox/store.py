"""What is stored: objects in memory, one version counter over all, a bounded history, and watches on it."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.objects import Key, Object, key_of, metadata, version_of

Place = tuple[str, str]
"""Where objects of one resource lie: group and plural. Objects that two groups serve lie in one place."""

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"

_QUEUE: Final = 100_000
"""Changes a watch may fall behind before it is ended; its client then lists again."""


class VersionConflict(Exception):
    """The object changed (or went away) since it was read."""


class Existing(Exception):
    """An object of that name is there already."""


class Gone(Exception):
    """The history does not reach back to that version; ``oldest`` is the first one it still can continue from."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {version} ({oldest})")
        self.oldest = oldest


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what is there now (for a deletion: what was there last, with the version of the deletion)."""

    type: str
    place: Place
    object: Object
    previous: Object | None
    version: int


class Watch:
    """The changes of one place, in order, from when it began until it is ended."""

    def __init__(self, backlog: list[Change]) -> None:
        self._queue: queue.Queue[Change | None] = queue.Queue(_QUEUE)
        self.ended = False
        self.seen = 0
        """Version up to which everything has been handed out."""
        for change in backlog:
            self._queue.put_nowait(change)

    def next(self, timeout: float) -> Change | None:
        """The next change; None when the time is up, or when the watch was ended (then ``ended`` is true)."""
        try:
            change = self._queue.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        if change is None:
            self.ended = True
        else:
            self.seen = change.version
        return change

    def offer(self, change: Change) -> None:
        try:
            self._queue.put_nowait(change)
        except queue.Full:
            self.end()

    def end(self) -> None:
        """Hand out nothing more; wakes whoever waits."""
        while True:
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                self._queue.get_nowait()
            else:
                return


class Store:
    """All objects. A stored object is never changed in place; whoever wants to change one makes a copy."""

    def __init__(self, history: int) -> None:
        self._lock = threading.RLock()
        self._history_limit = history
        self._version = 0
        self._objects: dict[Place, dict[Key, Object]] = {}
        self._history: dict[Place, deque[Change]] = {}
        self._horizon: dict[Place, int] = {}
        self._beginning = 0
        self._watches: dict[Place, list[Watch]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    @property
    def version(self) -> int:
        return self._version

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` with every change, in order, inside the write; it must be quick and must not write."""
        self._listeners.append(listener)

    def get(self, place: Place, key: Key) -> Object | None:
        with self._lock:
            return self._objects.get(place, {}).get(key)

    def snapshot(self, place: Place) -> tuple[list[Object], int]:
        """All objects of a place sorted by namespace and name, and the version they are of."""
        with self._lock:
            held = self._objects.get(place, {})
            return [held[key] for key in sorted(held)], self._version

    def snapshot_at(self, place: Place, version: int) -> list[Object]:
        """All objects of a place as they were at an earlier version. Raises Gone."""
        with self._lock:
            self._reach(place, version)
            held = dict(self._objects.get(place, {}))
            for change in reversed(self._history.get(place, ())):
                if change.version <= version:
                    break
                if change.previous is None:
                    held.pop(key_of(change.object), None)
                else:
                    held[key_of(change.object)] = change.previous
            return [held[key] for key in sorted(held)]

    def create(self, place: Place, value: Object) -> Object:
        """Store a new object, which gets its version. Raises Existing."""
        with self._lock:
            key = key_of(value)
            if key in self._objects.setdefault(place, {}):
                raise Existing
            return self._commit(ADDED, place, key, value, None)

    def update(self, place: Place, value: Object, seen: Object) -> Object:
        """Replace the object that was seen. Raises VersionConflict if another is there now."""
        with self._lock:
            key = key_of(value)
            present = self._objects.get(place, {}).get(key)
            if present is None or version_of(present) != version_of(seen):
                raise VersionConflict
            return self._commit(MODIFIED, place, key, value, present)

    def delete(self, place: Place, seen: Object) -> Object:
        """Remove the object that was seen; returns it with the version of its end. Raises VersionConflict."""
        with self._lock:
            key = key_of(seen)
            present = self._objects.get(place, {}).get(key)
            if present is None or version_of(present) != version_of(seen):
                raise VersionConflict
            return self._commit(DELETED, place, key, present, present)

    def watch(self, place: Place, since: int | None) -> tuple[Watch, list[Object], int]:
        """Begin a watch: after version ``since``, or (None) with what is there now, which is returned with its version.

        Raises Gone.
        """
        with self._lock:
            backlog: list[Change] = []
            present: list[Object] = []
            if since is None:
                present, since = self.snapshot(place)
            else:
                self._reach(place, since)
                backlog = [change for change in self._history.get(place, ()) if change.version > since]
            watch = Watch(backlog)
            watch.seen = since
            self._watches.setdefault(place, []).append(watch)
            return watch, present, since

    def caught_up(self, watch: Watch) -> int:
        """The version a bookmark may carry: everything up to it was handed to the watch."""
        with self._lock:
            return self._version if watch._queue.empty() else watch.seen

    def unwatch(self, place: Place, watch: Watch) -> None:
        with self._lock:
            watches = self._watches.get(place, [])
            if watch in watches:
                watches.remove(watch)

    def end_watches(self, place: Place | None = None) -> None:
        """End the watches of one place, or all."""
        with self._lock:
            for held, watches in self._watches.items():
                if place in (None, held):
                    for watch in watches:
                        watch.end()

    def begin_history(self) -> None:
        """Let the history of every place begin here, as with a server that has just read its store."""
        with self._lock:
            self._beginning = self._version
            self.forget_history()

    def forget_history(self) -> None:
        """Drop all history, as a compaction does; a watch or a continued list from before it gets 410."""
        with self._lock:
            for place in self._objects:
                self._horizon[place] = self._version
                self._history.pop(place, None)

    def _reach(self, place: Place, version: int) -> None:
        horizon = self._horizon.get(place, self._beginning)
        if version < horizon:
            raise Gone(version, horizon)

    def _commit(self, type_: str, place: Place, key: Key, value: Object, previous: Object | None) -> Object:
        self._version += 1
        value = value | {"metadata": metadata(value) | {"resourceVersion": str(self._version)}}
        if type_ == DELETED:
            del self._objects[place][key]
        else:
            self._objects[place][key] = value
        change = Change(type_, place, value, previous, self._version)
        history = self._history.setdefault(place, deque())
        history.append(change)
        if len(history) > self._history_limit:
            self._horizon[place] = history.popleft().version
        for watch in self._watches.get(place, ()):
            watch.offer(change)
        for listener in self._listeners:
            listener(change)
        return value

    def __iter__(self) -> Iterator[tuple[Place, Object]]:
        """Every object with its place, as of one moment."""
        with self._lock:
            return iter([(place, value) for place, held in self._objects.items() for value in held.values()])
