"""What is stored: objects in memory, one version counter over all, a bounded history, and watches on it."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sandbox.objects import Key, Object, key_of, uid_of, version_of, with_metadata

Place = tuple[str, str]
"""Where objects of one resource lie: group and plural."""

ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"


class VersionConflict(Exception):
    """The object was changed or deleted since it was read."""


class Existing(Exception):
    """An object of that name is there already."""


class Gone(Exception):
    """The history does not reach back to that version."""


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

    def __init__(self, seen: int, backlog: list[Change]) -> None:
        self.queue: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self.ended = False
        self.seen = seen
        """Version up to which everything has been handed out."""
        for change in backlog:
            self.queue.put(change)

    def next(self, timeout: float) -> Change | None:
        """The next change; None when the time is up, or when the watch was ended (then ``ended`` is true)."""
        try:
            change = self.queue.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        if change is None:
            self.ended = True
        else:
            self.seen = change.version
        return change


class Store:
    """All objects. A stored object is never changed in place; a change is made to a copy."""

    def __init__(self, history: int, on_change: Callable[[Change], None]) -> None:
        """``on_change`` is called with every change, in order, inside the write; it must not write."""
        self._lock = threading.RLock()
        self._history_limit = history
        self._on_change = on_change
        self._version = 0
        self._objects: dict[Place, dict[Key, Object]] = {}
        self.uids: set[str] = set()
        """Those of all objects."""
        self._history: dict[Place, deque[Change]] = {}
        self._horizon: dict[Place, int] = {}
        self._beginning = 0
        self._watches: dict[Place, list[Watch]] = {}

    def get(self, place: Place, key: Key) -> Object | None:
        with self._lock:
            return self._objects.get(place, {}).get(key)

    def snapshot(self, place: Place) -> tuple[list[Object], int]:
        """All objects of a place sorted by namespace and name, and the version they are of."""
        with self._lock:
            held = self._objects.get(place, {})
            return [held[key] for key in sorted(held)], self._version

    def __iter__(self) -> Iterator[tuple[Place, Object]]:
        """Every object with its place, as of one moment."""
        with self._lock:
            return iter([(place, value) for place, held in self._objects.items() for value in held.values()])

    def create(self, place: Place, value: Object) -> Object:
        """Store a new object, which gets its version. Raises Existing."""
        with self._lock:
            if key_of(value) in self._objects.setdefault(place, {}):
                raise Existing
            return self._commit(ADDED, place, value, None)

    def update(self, place: Place, value: Object, seen: Object) -> Object:
        """Replace the object that was seen. Raises VersionConflict if another is there now."""
        with self._lock:
            return self._commit(MODIFIED, place, value, self._unchanged(place, seen))

    def delete(self, place: Place, seen: Object) -> Object:
        """Remove the object that was seen; returns it with the version of its end. Raises VersionConflict."""
        with self._lock:
            return self._commit(DELETED, place, seen, self._unchanged(place, seen))

    def _unchanged(self, place: Place, seen: Object) -> Object:
        present = self._objects.get(place, {}).get(key_of(seen))
        if present is None or version_of(present) != version_of(seen):
            raise VersionConflict
        return present

    def watch(self, place: Place, since: int | None) -> tuple[Watch, list[Object]]:
        """Begin a watch: after version ``since``, or (None) with what is there now, which is returned. Raises Gone."""
        with self._lock:
            backlog: list[Change] = []
            present: list[Object] = []
            if since is None:
                present, since = self.snapshot(place)
            elif since < (horizon := self._horizon.get(place, self._beginning)):
                raise Gone(f"too old resource version: {since} ({horizon})")
            else:
                backlog = [change for change in self._history.get(place, ()) if change.version > since]
            watch = Watch(since, backlog)
            self._watches.setdefault(place, []).append(watch)
            return watch, present

    def caught_up(self, watch: Watch) -> int:
        """The version a bookmark may carry: everything up to it was handed to the watch."""
        with self._lock:
            return self._version if watch.queue.empty() else watch.seen

    def unwatch(self, place: Place, watch: Watch) -> None:
        with self._lock:
            self._watches[place].remove(watch)

    def end_watches(self, place: Place | None = None) -> None:
        """End the watches of one place, or all."""
        with self._lock:
            for held, watches in self._watches.items():
                if place in (None, held):
                    for watch in watches:
                        watch.queue.put(None)

    def forget_history(self) -> None:
        """Drop all history, as a compaction does; a watch from before it gets 410."""
        with self._lock:
            self._beginning = self._version
            self._horizon.clear()
            self._history.clear()

    def _commit(self, type_: str, place: Place, value: Object, previous: Object | None) -> Object:
        self._version += 1
        value = with_metadata(value, resourceVersion=str(self._version))
        if type_ == DELETED:
            del self._objects[place][key_of(value)]
            self.uids.discard(uid_of(value))
        else:
            self.uids.add(uid_of(value))
            self._objects[place][key_of(value)] = value
        change = Change(type_, place, value, previous, self._version)
        history = self._history.setdefault(place, deque())
        history.append(change)
        if len(history) > self._history_limit:
            self._horizon[place] = history.popleft().version
        for watch in self._watches.get(place, ()):
            watch.queue.put(change)
        self._on_change(change)
        return value
