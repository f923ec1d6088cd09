"""Create, update, patch and apply: what passes admission and validation is stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sandbox.admission import CREATE, UPDATE, Admission, Write
from sandbox.bodies import APPLY_PATCH, Change, completed, creation, patch, replacement
from sandbox.calls import Call
from sandbox.deleting import Deleter, waits
from sandbox.failures import already_exists, conflict, invalid, not_found, required
from sandbox.lifecycle import check, prepare_create, prepare_update
from sandbox.objects import Object, format_time, is_being_deleted, metadata, name_of, uid_of
from sandbox.store import Existing, Store, VersionConflict

_ATTEMPTS: Final = 5
"""How often a patch that names no version is tried against a fresh object, as a real API server does."""


class Writer:
    """Carries writes through admission and validation into the store."""

    def __init__(self, store: Store, admission: Admission, deleter: Deleter, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._admission = admission
        self._deleter = deleter
        self._clock = clock

    def create(self, call: Call) -> Object:
        """Store a new object. Raises ApiError."""
        return self._create(call, creation(call, self._now()))

    def update(self, call: Call) -> Object:
        """Replace an object, or its status. Raises ApiError."""
        return self._update(call, replacement(call, self._now()))

    def patch(self, call: Call) -> tuple[Object, bool]:
        """Patch or apply; returns the object and whether it is new. Raises ApiError."""
        change = patch(call, self._now())
        if call.media != APPLY_PATCH or call.subresource or self._live(call) is not None:
            return self._update(call, change), False
        resource = call.resource
        return self._create(call, change({"apiVersion": resource.api_version, "kind": resource.kind})), True

    def _now(self) -> str:
        return format_time(self._clock())

    def _live(self, call: Call) -> Object | None:
        return self._store.get(call.resource.place, call.key)

    def _admit(self, call: Call, value: Object, old: Object | None, prepare: Callable[[Object], Object]) -> Object:
        """The object as it is to be stored, changed by mutating webhooks and let through by all. Raises ApiError."""
        resource = call.resource
        write = Write(
            operation=CREATE if old is None else UPDATE,
            resource=resource,
            subresource=call.subresource,
            namespace=call.namespace,
            name=name_of(value),
            object=value,
            old=old,
            options=call.options("CreateOptions" if old is None else "UpdateOptions"),
            dry_run=call.dry_run,
            user=call.user,
            warnings=call.warnings,
        )
        self._admission.mutate(write, lambda changed: completed(changed, resource))
        write.object = prepare(write.object)
        write.name = name_of(write.object)
        check(write.object, resource, old)
        self._admission.validate(write)
        return write.object

    def _create(self, call: Call, value: Object) -> Object:
        resource = call.resource
        value = self._admit(call, value, None, lambda value: prepare_create(value, resource, self._now()))
        try:
            if call.dry_run:
                if self._store.get(resource.place, (call.namespace, name_of(value))) is not None:
                    raise Existing
                return value
            stored = self._store.create(resource.place, value)
        except Existing:
            raise already_exists(resource.plural, resource.group, name_of(value)) from None
        if self._deleter.is_orphaned(stored):
            self._deleter.collect()
        return stored

    def _update(self, call: Call, change: Change) -> Object:
        resource = call.resource
        warnings = list(call.warnings)
        for _ in range(_ATTEMPTS):
            call.warnings[:] = warnings
            live = self._live(call)
            if live is None:
                raise not_found(resource.plural, resource.group, call.name)
            wanted = change(live)
            _check_version(wanted, live, call)
            try:
                return self._replace(call, live, wanted)
            except VersionConflict:
                continue
        raise conflict(resource.plural, resource.group, call.name)

    def _replace(self, call: Call, live: Object, wanted: Object) -> Object:
        resource = call.resource

        def prepare(value: Object) -> Object:
            return prepare_update(value, live, resource, call.subresource, self._now())

        value = self._admit(call, wanted, live, prepare)
        if _without_times(value) == _without_times(live):
            return live
        if call.dry_run:
            return value
        stored = self._store.update(resource.place, value, live)
        if is_being_deleted(stored) and not waits(stored):
            self._store.delete(resource.place, stored)
            self._deleter.collect()
        return stored


def _check_version(wanted: Object, live: Object, call: Call) -> None:
    resource, version, uid = call.resource, metadata(wanted).get("resourceVersion"), uid_of(wanted)
    if uid and uid != uid_of(live):
        message = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(live)}"
        raise conflict(resource.plural, resource.group, call.name, message)
    if not version:
        problem = required("metadata.resourceVersion", "must be specified for an update")
        raise invalid(resource.plural, resource.group, call.name, [problem])
    if version != metadata(live)["resourceVersion"]:
        raise conflict(resource.plural, resource.group, call.name)


def _without_times(value: Object) -> Object:
    entries: list[dict[str, Any]] = metadata(value).get("managedFields") or []
    untimed = [{name: member for name, member in entry.items() if name != "time"} for entry in entries]
    return {**value, "metadata": {**metadata(value), "managedFields": untimed}}
