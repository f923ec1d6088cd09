"""What runs in the background: objects go when their owners, their namespace or their definition are gone."""

import queue
import threading
from typing import Any, Final

from sandbox.calls import Call
from sandbox.changes import MERGE_PATCH
from sandbox.definitions import CLEANUP
from sandbox.deleting import Deleter
from sandbox.failures import ApiError
from sandbox.identity import User, authenticated
from sandbox.objects import Key, Object, encode, key_of, metadata, name_of, namespace_of, uid_of
from sandbox.registration import DEFINITIONS
from sandbox.resources import Registry, Resource
from sandbox.store import DELETED, Change, Place, Store
from sandbox.writing import Writer

_GARBAGE: Final = authenticated("system:serviceaccount:kube-system:generic-garbage-collector")
_NAMESPACES: Final = authenticated("system:serviceaccount:kube-system:namespace-controller")
_DEFINER: Final = authenticated("system:apiserver")
_PLACE: Final[Place] = ("", "namespaces")
_STOP: Final = object()


class Collector:
    """One thread that follows every change and writes as a controller would."""

    def __init__(self, store: Store, registry: Registry, writer: Writer, deleter: Deleter) -> None:
        self._store = store
        self._registry = registry
        self._writer = writer
        self._deleter = deleter
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sandbox-collector", daemon=True)
        self._places: dict[str, tuple[Place, Key]] = {}
        """Uid to where the object is."""
        self._dependents: dict[str, set[tuple[Place, Key]]] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the change it is at."""
        self._queue.put(_STOP)
        if self._thread.is_alive():
            self._thread.join(10)

    def react(self, change: Change) -> None:
        """Take note of a change; called inside the write."""
        if change.type == DELETED:
            self._places.pop(uid_of(change.object), None)
        else:
            self._places[uid_of(change.object)] = (change.place, key_of(change.object))
        self._queue.put(change)

    def _run(self) -> None:
        while True:
            change = self._queue.get()
            if change is _STOP:
                return
            try:
                self._follow(change)
            except ApiError:
                continue  # somebody else was quicker, or admission forbids it; the next change asks again

    def _follow(self, change: Change) -> None:
        owners = metadata(change.object).get("ownerReferences") or []
        entry = (change.place, key_of(change.object))
        for owner in owners:
            dependents = self._dependents.setdefault(owner["uid"], set())
            dependents.discard(entry) if change.type == DELETED else dependents.add(entry)
        if change.type == DELETED:
            for dependent in sorted(self._dependents.pop(uid_of(change.object), ())):
                self._collect(*dependent)
            self._containers_follow(change)
            return
        if owners:
            self._collect(*entry)
        if "deletionTimestamp" in metadata(change.object):
            self._ending(change)

    def _collect(self, place: Place, key: Key) -> None:
        """Delete an object none of whose owners is there any more."""
        value = self._store.get(place, key)
        if value is None or "deletionTimestamp" in metadata(value):
            return
        owners = metadata(value).get("ownerReferences") or []
        if not owners:
            return
        left = [owner for owner in owners if owner["uid"] in self._places]
        if not left:
            self._delete(place, value, _GARBAGE)
        elif len(left) < len(owners):
            self._patch(place, value, {"ownerReferences": left}, _GARBAGE)

    def _ending(self, change: Change) -> None:
        place, value = change.place, change.object
        if place == _PLACE:
            self._empty_namespace(value)
        elif place == DEFINITIONS and CLEANUP in (metadata(value).get("finalizers") or ()):
            self._empty_definition(value)

    def _containers_follow(self, change: Change) -> None:
        namespace = self._store.get(_PLACE, ("", namespace_of(change.object)))
        if namespace is not None and "deletionTimestamp" in metadata(namespace):
            self._empty_namespace(namespace)
        definition = self._store.get(DEFINITIONS, ("", f"{change.place[1]}.{change.place[0]}"))
        if definition is not None and "deletionTimestamp" in metadata(definition):
            self._empty_definition(definition)

    def _empty_namespace(self, namespace: Object) -> None:
        held = [(place, value) for place, value in self._store if namespace_of(value) == name_of(namespace)]
        for place, value in held:
            if "deletionTimestamp" not in metadata(value):
                self._delete(place, value, _NAMESPACES)
        if any(namespace_of(value) == name_of(namespace) for _, value in self._store):
            return
        live = self._store.get(_PLACE, key_of(namespace))
        if live is not None and (live.get("spec") or {}).get("finalizers"):
            self._change(_PLACE, live, {"spec": {"finalizers": None}}, _NAMESPACES)

    def _empty_definition(self, definition: Object) -> None:
        spec = definition["spec"]
        place = (spec["group"], spec["names"]["plural"])
        for value in self._store.snapshot(place)[0]:
            if "deletionTimestamp" not in metadata(value):
                self._delete(place, value, _DEFINER)
        live = self._store.get(DEFINITIONS, key_of(definition))
        if live is not None and not self._store.snapshot(place)[0]:
            left = [finalizer for finalizer in metadata(live).get("finalizers") or () if finalizer != CLEANUP]
            self._patch(DEFINITIONS, live, {"finalizers": left or None}, _DEFINER)

    def _patch(self, place: Place, value: Object, meta: Object, user: User) -> None:
        self._change(place, value, {"metadata": meta}, user)

    def _change(self, place: Place, value: Object, change: Object, user: User) -> None:
        resource = self._registry.at(place)
        if resource is not None:
            call = _call("patch", resource, value, user)
            call.body, call.content_type = encode(change), MERGE_PATCH
            self._writer.patch(call)

    def _delete(self, place: Place, value: Object, user: User) -> None:
        resource = self._registry.at(place)
        if resource is None:
            return
        call = _call("delete", resource, value, user)
        preconditions = {"preconditions": {"uid": uid_of(value)}, "propagationPolicy": "Background"}
        call.body, call.content_type = encode(preconditions), "application/json"
        try:
            self._deleter.delete(call)
        except ApiError as problem:
            if problem.code not in (404, 409):
                raise


def _call(verb: str, resource: Resource, value: Object, user: User) -> Call:
    return Call(
        verb=verb,
        resource=resource,
        subresource="",
        namespace=namespace_of(value),
        name=name_of(value),
        user=user,
        user_agent="sandbox-collector",
        query={},
    )
