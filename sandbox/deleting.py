"""Delete: objects, and with them what they own, what lies in them, and what they define."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox.bodies import parse
from sandbox.calls import Call
from sandbox.definitions import DEFINITIONS, place_of
from sandbox.failures import bad_request, conflict, not_found, not_implemented
from sandbox.objects import (
    Object,
    format_time,
    is_being_deleted,
    metadata,
    name_of,
    namespace_of,
    parse_time,
    uid_of,
    with_metadata,
)
from sandbox.store import Place, Store, VersionConflict

NAMESPACES: Final[Place] = ("", "namespaces")
_PODS: Final[Place] = ("", "pods")


class Deleter:
    """Deletes at once, or marks what has a grace period, finalizers or contents. Admission is not asked."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def delete(self, call: Call) -> Object:
        """Delete one object; returns it if it stays for a while, else a Status. Raises ApiError."""
        options, resource = _options(call), call.resource
        while True:
            live = self._store.get(resource.place, call.key)
            if live is None:
                raise not_found(resource.plural, resource.group, call.name)
            _check_preconditions(options.get("preconditions") or {}, live, call)
            try:
                left = self._end(resource.place, live, options, dry_run=call.dry_run)
            except VersionConflict:
                continue
            self.collect()
            details = {"name": call.name, "group": resource.group, "kind": resource.plural, "uid": uid_of(live)}
            success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
            return left or success

    def collect(self) -> None:
        """Delete what lost its last owner, and what is in a namespace or of a kind that is being deleted.

        Goes on until there is nothing of the kind; then a namespace or definition that is empty goes too.
        """
        while doomed := self._doomed():
            for place, value in doomed:
                try:
                    self._end(place, value, {})
                except VersionConflict:
                    continue  # it has just changed; the next round decides on what it is now

    def is_orphaned(self, value: Object) -> bool:
        """True if an object has owners and none of them is there."""
        owners = metadata(value).get("ownerReferences") or []
        return bool(owners) and all(owner["uid"] not in self._store.uids for owner in owners)

    def _doomed(self) -> list[tuple[Place, Object]]:
        everything = list(self._store)
        ending = [(place, value) for place, value in everything if is_being_deleted(value)]
        namespaces = {name_of(value) for place, value in ending if place == NAMESPACES}
        kinds = {place_of(value) for place, value in ending if place == DEFINITIONS}

        def is_doomed(place: Place, value: Object) -> bool:
            if is_being_deleted(value):
                if place == NAMESPACES:
                    return all(namespace_of(other) != name_of(value) for _, other in everything)
                return place == DEFINITIONS and all(other != place_of(value) for other, _ in everything)
            return self.is_orphaned(value) or namespace_of(value) in namespaces or place in kinds

        return [(place, value) for place, value in everything if is_doomed(place, value)]

    def _end(self, place: Place, live: Object, options: Object, *, dry_run: bool = False) -> Object | None:
        """Remove an object, or mark it; returns it if it stays. Raises VersionConflict."""
        marked = _marked(place, live, options, self._clock())
        holds = place in (NAMESPACES, DEFINITIONS) and not is_being_deleted(live)
        if waits(marked) or holds:
            return marked if dry_run or marked is live else self._store.update(place, marked, live)
        if not dry_run:
            self._store.delete(place, live)
        return None


def waits(marked: Object) -> bool:
    """True if an object that is being deleted still has something to wait for."""
    meta = metadata(marked)
    return bool(meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"))


def _marked(place: Place, live: Object, options: Object, now: datetime) -> Object:
    """The object with what a deletion writes into it; the object itself where it is marked already and no sooner."""
    grace, meta = _grace(place, live, options), metadata(live)
    if not is_being_deleted(live):
        ends = format_time(now + timedelta(seconds=grace))
        changed = {"deletionTimestamp": ends, "deletionGracePeriodSeconds": grace, "generation": meta["generation"] + 1}
        marked = with_metadata(live, **changed)
        return {**marked, "status": {"phase": "Terminating"}} if place == NAMESPACES else marked
    before, end = meta.get("deletionGracePeriodSeconds", 0), parse_time(meta["deletionTimestamp"])
    if end is not None and grace < before:
        end += timedelta(seconds=grace - before)
        return with_metadata(live, deletionTimestamp=format_time(end), deletionGracePeriodSeconds=grace)
    return live


def _grace(place: Place, live: Object, options: Object) -> int:
    """Seconds a pod is given: as asked, else as its spec says; none before it is scheduled."""
    spec = live.get("spec") or {}
    if place != _PODS or not spec.get("nodeName"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return max(int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked), 0)


def _options(call: Call) -> Object:
    value: Any = parse(call) if call.body.strip() else {}
    if not isinstance(value, dict) or value.get("kind") not in (None, "DeleteOptions"):
        raise bad_request("the body of a deletion is no DeleteOptions")
    options: Object = {**value, **{key: call.query[key] for key in ("propagationPolicy",) if key in call.query}}
    if "gracePeriodSeconds" in call.query:
        options["gracePeriodSeconds"] = int(call.query["gracePeriodSeconds"])
    if options.get("propagationPolicy") not in (None, "Background") or options.get("orphanDependents"):
        raise not_implemented("deletion in the foreground or without dependents; say propagationPolicy Background")
    return options


def _check_preconditions(conditions: Object, live: Object, call: Call) -> None:
    for member in ("uid", "resourceVersion"):
        wanted, found = conditions.get(member), metadata(live)[member]
        if wanted is not None and wanted != found:
            message = f"the {member} in the precondition ({wanted}) does not match the {member} in record ({found})"
            raise conflict(call.resource.kind, call.resource.group, call.name, message)
