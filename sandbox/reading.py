"""Get, list and watch."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from sandbox.calls import Call
from sandbox.failures import ApiError, bad_request, expired, forbidden_field, invalid, not_found
from sandbox.objects import Object, key_of, namespace_of
from sandbox.selectors import Predicate, selects
from sandbox.store import ADDED, DELETED, MODIFIED, Change, Gone, Store

_LONGEST_WATCH: Final = 3600
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


def _wanted(call: Call) -> Predicate:
    chosen = selects(
        call.query.get("labelSelector", ""),
        call.query.get("fieldSelector", ""),
        call.resource.place,
    )
    if not call.namespace:
        return chosen
    return lambda value: namespace_of(value) == call.namespace and chosen(value)


def list_objects(store: Store, call: Call) -> tuple[list[Object], Object]:
    """The objects and the metadata of the list, in pages if a limit is given. Raises ApiError 400 and 410."""
    wanted = _wanted(call)
    limit = _number(call, "limit")
    version, after = _continued(call)
    try:
        if version is None:
            values, version = store.snapshot(call.resource.place)
        else:
            values = store.snapshot_at(call.resource.place, version)
    except Gone:
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter."
            if after
            else "The resourceVersion for the provided list is too old."
        ) from None
    chosen = [value for value in values if (not after or key_of(value) > after) and wanted(value)]
    meta: Object = {"resourceVersion": str(version)}
    if limit and len(chosen) > limit:
        if call.query.get("labelSelector", "") == call.query.get("fieldSelector", "") == "":
            meta["remainingItemCount"] = len(chosen) - limit
        chosen = chosen[:limit]
        meta["continue"] = _token(version, chosen[-1])
    return chosen, meta


def _token(version: int, last: Object) -> str:
    return base64.urlsafe_b64encode(json.dumps({"rv": version, "start": key_of(last)}).encode()).decode().rstrip("=")


def _continued(call: Call) -> tuple[int | None, tuple[str, str] | None]:
    token = call.query.get("continue")
    if not token:
        return None, None
    try:
        read = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = read["start"]
        return int(read["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError):
        raise bad_request(f"invalid continue token: continue key is not valid: {token[:60]}") from None


def _number(call: Call, name: str) -> int:
    stated = call.query.get(name) or "0"
    try:
        return max(int(stated), 0)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{stated}": invalid syntax') from None


def _since(call: Call) -> int | None:
    """The version a watch begins after; None for the present state first."""
    stated = call.query.get("resourceVersion") or ""
    if stated and not stated.isdigit():
        told = f'resourceVersion: Invalid value: "{stated}": strconv.ParseUint: parsing "{stated}": invalid syntax'
        raise ApiError(500, "", told)
    return int(stated or 0) or None


class WatchStream:
    """The events of one watch request; iterate to wait for them, None is a moment of silence."""

    def __init__(self, store: Store, call: Call, bookmark_seconds: float) -> None:
        """Raises ApiError for wrong parameters; a version that is too old is an event of its own."""
        self._store = store
        self._call = call
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._bookmark_seconds = bookmark_seconds
        self._wanted = _wanted(call)
        self._seconds = _number(call, "timeoutSeconds") or _LONGEST_WATCH
        self._since = _since(call)
        if call.flag("sendInitialEvents"):
            problem = forbidden_field("sendInitialEvents", "the sandbox streams no lists; list, then watch")
            raise invalid("ListOptions", "meta.k8s.io", "", [problem])

    def __iter__(self) -> Iterator[WatchEvent | None]:
        place = self._call.resource.place
        try:
            watch, present, version = self._store.watch(place, self._since)
        except Gone as gone:
            yield "ERROR", expired(str(gone)).to_dict()
            return
        try:
            yield from self._stream(
                watch.next, lambda: watch.ended, present, version, lambda: self._store.caught_up(watch)
            )
        finally:
            self._store.unwatch(place, watch)

    def _stream(
        self,
        receive: Callable[[float], Change | None],
        ended: Callable[[], bool],
        present: list[Object],
        version: int,
        caught_up: Callable[[], int],
    ) -> Iterator[WatchEvent | None]:
        for value in present:
            if self._wanted(value):
                yield ADDED, value
        yield None
        now = time.monotonic()
        deadline = now + self._seconds
        bookmark_due = min(now + self._bookmark_seconds, max(deadline - _LAST_BOOKMARK, now + _LAST_BOOKMARK))
        while now < deadline:
            change = receive(min(deadline - now, bookmark_due - now if self._bookmarks else _POLL, _POLL))
            if ended():
                return
            event = self._event(change) if change is not None and change.version > version else None
            yield event
            now = time.monotonic()
            if self._bookmarks and now >= bookmark_due:
                yield self._bookmark(caught_up())
                rest = deadline - _LAST_BOOKMARK
                bookmark_due = now + self._bookmark_seconds
                bookmark_due = rest if now < rest < bookmark_due else bookmark_due

    def _event(self, change: Change) -> WatchEvent | None:
        """What a change is to this watch: an object that stops matching the selectors is gone."""
        now = change.type != DELETED and self._wanted(change.object)
        before = change.previous is not None and self._wanted(change.previous)
        if now:
            return (MODIFIED if before else ADDED), change.object
        if not before:
            return None
        assert change.previous is not None
        last: dict[str, Any] = {**change.previous["metadata"], "resourceVersion": str(change.version)}
        return DELETED, {**change.previous, "metadata": last}

    def _bookmark(self, version: int) -> WatchEvent:
        meta: Object = {"resourceVersion": str(version)}
        if not self._call.resource.custom:
            meta["creationTimestamp"] = None
        return "BOOKMARK", {
            "kind": self._call.resource.kind,
            "apiVersion": self._call.resource.api_version,
            "metadata": meta,
        }
