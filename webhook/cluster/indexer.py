"""The objects of one resource in memory, with indexes; they include this process's own writes at once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.api.wire import Wire

Key = tuple[str, str]
"""Namespace (empty for cluster-wide objects) and name."""

IndexFunction = Callable[[Wire], Iterable[str]]
"""Returns the values under which an index has an object."""

Values = Mapping[str, tuple[str, ...]]
"""The values under which the indexes have one object, by name of the index."""

_TRUST_SECONDS: Final = 30.0
"""How long an own write takes precedence over a list without it. Afterwards the list wins, as after an etcd restore."""
_MOST_DELETED: Final = 4096


@dataclass(frozen=True, slots=True)
class Change:
    """One object added (``before`` is None), updated, or deleted (``after`` is None)."""

    before: Wire | None
    after: Wire | None

    @property
    def object(self) -> Wire:
        """The object after the change, or the last one seen."""
        found = self.after if self.after is not None else self.before
        return found if found is not None else {}


class Indexer:
    """Objects by key; safe for many threads. The objects are shared: callers must not change them.

    An object with an older resource version than the stored one is ignored, so events may come twice, late or out of
    order, and readers see this process's own writes. If an index function raises, the exception is raised and nothing
    is changed.
    """

    def __init__(self, monotonic: Callable[[], float], indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._objects: dict[Key, Wire] = {}
        self._functions = dict(indexes or {})
        self._indexes: dict[str, dict[str, dict[Key, Wire]]] = {name: {} for name in self._functions}
        self._assumed: dict[Key, float] = {}
        self._deleted: OrderedDict[str, float] = OrderedDict()

    def get(self, namespace: str, name: str) -> Wire | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def objects(self, namespace: str | None = None) -> list[Wire]:
        """All objects, or those of a namespace, in order of namespace and name."""
        with self._lock:
            return [self._objects[key] for key in sorted(self._objects) if namespace is None or key[0] == namespace]

    def by_index(self, index: str, value: str) -> list[Wire]:
        """The objects that an index has under a value, in order of namespace and name."""
        with self._lock:
            found = self._indexes[index].get(value, {})
            return [found[key] for key in sorted(found)]

    def __len__(self) -> int:
        return len(self._objects)

    def replace(self, objects: Iterable[Wire], version: str, namespace: str | None = None) -> list[Change]:
        """Store a list of all namespaces or of one, read at ``version``; objects that it lacks are deleted."""
        with self._lock:
            listed = {key_of(one): one for one in objects if not self._is_deleted(one)}
            changed = {key: one for key, one in listed.items() if self._is_changed(key, one)}
            values = {key: self._values(one) for key, one in changed.items()}
            changes = []
            for key in [key for key in self._objects if key not in listed]:
                if namespace in (None, key[0]) and not self._outlives(key, version):
                    changes.append(Change(self._objects[key], None))
                    self._remove(key)
            for key, one in changed.items():
                changes.append(Change(self._objects.get(key), one))
                self._put(key, one, values[key])
            return changes

    def apply_event(self, event_type: str, one: Wire) -> Change | None:
        """Store a watch event (ADDED, MODIFIED or DELETED); None if it changes nothing."""
        key = key_of(one)
        with self._lock:
            before = self._objects.get(key)
            if event_type == "DELETED":
                self._record_deletion(one)
                if before is None or uid_of(before) != uid_of(one):
                    return None
                self._remove(key)
                return Change(before, None)
            if self._is_deleted(one) or (before is not None and not is_newer(one, before)):
                return None
            self._put(key, one, self._values(one))
            return Change(before, one)

    def assume(self, one: Wire) -> None:
        """Store the response to an own write: readers see it at once, and older events do not undo it."""
        key = key_of(one)
        with self._lock:
            before = self._objects.get(key)
            if self._is_deleted(one) or (before is not None and not is_newer(one, before)):
                return
            self._put(key, one, self._values(one))
            self._assumed[key] = self._monotonic()

    def assume_deleted(self, one: Wire) -> None:
        """Remove an object after an own delete; late events for the same uid do not add it again."""
        key = key_of(one)
        with self._lock:
            self._record_deletion(one)
            before = self._objects.get(key)
            if before is not None and uid_of(before) == uid_of(one):
                self._remove(key)

    def distrust(self) -> None:
        """Forget what this process wrote or deleted itself, so that the next list replaces everything."""
        with self._lock:
            self._assumed.clear()
            self._deleted.clear()

    def _is_changed(self, key: Key, one: Wire) -> bool:
        """True if an object of a list has to be stored: it is new or another version, and no own write is newer."""
        before = self._objects.get(key)
        if before is None:
            return True
        return version_of(before) != version_of(one) and not (self._trusted(key) and is_newer(before, one))

    def _values(self, one: Wire) -> Values:
        """The values of an object for each index. Raises what an index function raises, before anything is stored."""
        return {name: tuple(function(one)) for name, function in self._functions.items()}

    def _put(self, key: Key, one: Wire, values: Values) -> None:
        self._unindex(key)
        self._assumed.pop(key, None)
        self._objects[key] = one
        for name, found in values.items():
            for value in found:
                self._indexes[name].setdefault(value, {})[key] = one

    def _remove(self, key: Key) -> None:
        self._unindex(key)
        self._assumed.pop(key, None)
        del self._objects[key]

    def _unindex(self, key: Key) -> None:
        before = self._objects.get(key)
        if before is None:
            return
        for name, function in self._functions.items():
            index = self._indexes[name]
            for value in function(before):
                members = index.get(value)
                if members is not None:
                    members.pop(key, None)
                    if not members:
                        del index[value]

    def _outlives(self, key: Key, version: str) -> bool:
        """True if this process wrote an object after a list was read, so that the list lacks it."""
        return self._trusted(key) and is_later(version_of(self._objects[key]), version)

    def _trusted(self, key: Key) -> bool:
        since = self._assumed.get(key)
        return since is not None and self._monotonic() - since < _TRUST_SECONDS

    def _record_deletion(self, one: Wire) -> None:
        """Remember a deletion as long as late events of it may come; the oldest are first."""
        now = self._monotonic()
        self._deleted[uid_of(one)] = now
        self._deleted.move_to_end(uid_of(one))
        while len(self._deleted) > _MOST_DELETED or now - next(iter(self._deleted.values())) >= _TRUST_SECONDS:
            self._deleted.popitem(last=False)

    def _is_deleted(self, one: Wire) -> bool:
        since = self._deleted.get(uid_of(one))
        return since is not None and self._monotonic() - since < _TRUST_SECONDS


def key_of(one: Mapping[str, Any]) -> Key:
    metadata = one.get("metadata") or {}
    return metadata.get("namespace") or "", metadata.get("name") or ""


def uid_of(one: Mapping[str, Any]) -> str:
    return str((one.get("metadata") or {}).get("uid") or "")


def version_of(one: Mapping[str, Any]) -> str:
    return str((one.get("metadata") or {}).get("resourceVersion") or "")


def is_same_version(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (uid_of(one), version_of(one)) == (uid_of(other), version_of(other))


def is_newer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True if ``one`` is a later version than ``other``, or another object of the same name that is later."""
    if uid_of(one) != uid_of(other):
        return is_later(version_of(one), version_of(other))
    return version_of(one) != version_of(other) and is_later(version_of(one), version_of(other))


def is_later(version: str, than: str) -> bool:
    """True if a resource version is later than another one of the same resource; any version is later than none."""
    # Versions are ordered decimals. Others cannot be compared, and a different one counts as later.
    if version.isdecimal() and than.isdecimal():
        # As text, since Python limits the number of digits that it converts.
        one, other = version.lstrip("0"), than.lstrip("0")
        return (len(one), one) > (len(other), other)
    return version != than


def by_owner(one: Mapping[str, Any]) -> list[str]:
    """Index: the uids of the owners."""
    return [str(owner["uid"]) for owner in _owners(one) if owner.get("uid")]


def by_label(label: str) -> IndexFunction:
    """Index: ``namespace/value`` of one label; objects without it are not in the index."""

    def values(one: Mapping[str, Any]) -> list[str]:
        metadata = one.get("metadata") or {}
        value = (metadata.get("labels") or {}).get(label)
        return [f"{metadata.get('namespace') or ''}/{value}"] if value is not None else []

    return values


def _owners(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    owners = (one.get("metadata") or {}).get("ownerReferences")
    return owners if isinstance(owners, list) else []
