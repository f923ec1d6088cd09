"""Get, list and watch."""

import time
from collections.abc import Iterator
from typing import Final

from sandbox.calls import Call
from sandbox.failures import bad_request, expired, forbidden_field, invalid, not_found
from sandbox.objects import Object, namespace_of, with_metadata
from sandbox.selectors import Predicate, labels_of, parse_fields, parse_labels
from sandbox.store import ADDED, DELETED, MODIFIED, Change, Gone, Store

_LONGEST_WATCH: Final = 3600.0
_LAST_BOOKMARK: Final = 2.0
"""Seconds before its end at which a watch sends a bookmark, so that its successor begins there."""
_POLL: Final = 2.0
"""Seconds after which a silent watch looks whether its client is still there."""

WatchEvent = tuple[str, Object]


def get(store: Store, call: Call) -> Object:
    """One object. Raises ApiError 404."""
    found = store.get(call.resource.place, call.key)
    if found is None:
        raise not_found(call.resource.plural, call.resource.group, call.name)
    return found


def list_objects(store: Store, call: Call) -> tuple[list[Object], str]:
    """The selected objects, all of them whatever the limit, and the version of the list. Raises ApiError 400."""
    if call.query.get("continue"):
        raise bad_request("the sandbox answers lists whole: it has given out no continue token")
    selected = _selected(call)
    values, version = store.snapshot(call.resource.place)
    return [value for value in values if selected(value)], str(version)


def _selected(call: Call) -> Predicate:
    by_label = parse_labels(call.query.get("labelSelector", ""))
    by_field = parse_fields(call.query.get("fieldSelector", ""))
    return lambda value: (
        (not call.namespace or namespace_of(value) == call.namespace) and by_label(labels_of(value)) and by_field(value)
    )


class WatchStream:
    """The events of one watch request; iterate to wait for them, None is a moment of silence."""

    def __init__(self, store: Store, call: Call, bookmark_seconds: float) -> None:
        """Raises ApiError for wrong parameters; a version that is too old is an event of its own."""
        self._store = store
        self._resource = call.resource
        self._bookmark_seconds = bookmark_seconds if call.flag("allowWatchBookmarks") else _LONGEST_WATCH
        self._selected = _selected(call)
        if call.flag("sendInitialEvents"):
            problem = forbidden_field("sendInitialEvents", "the sandbox streams no lists; list, then watch")
            raise invalid("ListOptions", "meta.k8s.io", "", [problem])
        try:
            self._seconds = float(call.query.get("timeoutSeconds") or _LONGEST_WATCH)
            self._since = int(call.query.get("resourceVersion") or 0) or None
        except ValueError as problem:
            raise bad_request(str(problem)) from None

    def __iter__(self) -> Iterator[WatchEvent | None]:
        place = self._resource.place
        try:
            watch, present = self._store.watch(place, self._since)
        except Gone as gone:
            yield "ERROR", expired(str(gone)).to_dict()
            return
        try:
            yield from ((ADDED, value) for value in present if self._selected(value))
            yield None
            now = time.monotonic()
            end = now + self._seconds
            bookmark = min(now + self._bookmark_seconds, max(end, now + 2 * _LAST_BOOKMARK) - _LAST_BOOKMARK)
            while now < end:
                change = watch.next(min(end - now, bookmark - now, _POLL))
                if watch.ended:
                    return
                yield self._event(change) if change is not None else None
                now = time.monotonic()
                if now >= bookmark and self._bookmark_seconds < _LONGEST_WATCH:
                    yield self._bookmark(self._store.caught_up(watch))
                    bookmark = now + self._bookmark_seconds
                    if now < end - _LAST_BOOKMARK < bookmark:
                        bookmark = end - _LAST_BOOKMARK
        finally:
            self._store.unwatch(place, watch)

    def _event(self, change: Change) -> WatchEvent | None:
        """What a change is to this watch: an object that stops matching the selectors is gone."""
        now = change.type != DELETED and self._selected(change.object)
        before = change.previous is not None and self._selected(change.previous)
        if now:
            return (MODIFIED if before else ADDED), change.object
        if not before or change.previous is None:
            return None
        return DELETED, with_metadata(change.previous, resourceVersion=str(change.version))

    def _bookmark(self, version: int) -> WatchEvent:
        head = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        return "BOOKMARK", {**head, "metadata": {"resourceVersion": str(version)}}
