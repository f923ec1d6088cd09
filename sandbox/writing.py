"""Create, update, patch and apply: what passes admission and validation is stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from sandbox.admission.attributes import CREATE, UPDATE, Attributes
from sandbox.admission.chain import Chain
from sandbox.calls import Call
from sandbox.changes import (
    APPLY_PATCH,
    Change,
    application,
    check_name,
    check_patch_type,
    creation,
    media_of,
    patched,
    replacement,
)
from sandbox.failures import (
    BLOCKING,
    ApiError,
    FieldError,
    already_exists,
    conflict,
    invalid,
    not_found,
)
from sandbox.intake import check_schema, completed
from sandbox.kinds import accepted, kind_errors
from sandbox.metadata import metadata_errors
from sandbox.objects import Object, format_time, metadata, name_of, same, uid_of, with_metadata
from sandbox.resources import Resource
from sandbox.store import Existing, Store, VersionConflict
from sandbox.strategy import begin, prepare_create, prepare_update

_ATTEMPTS: Final = 5
"""How often a patch that states no version is tried against a fresh object, as a real API server does."""


class Writer:
    """Carries writes through admission and validation into the store."""

    def __init__(self, store: Store, chain: Chain, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock

    def create(self, call: Call) -> Object:
        """Store a new object. Raises ApiError."""
        call.check_options("CreateOptions")
        return self._create(call, creation(call, self._now()))

    def update(self, call: Call) -> Object:
        """Replace an object, or its status. Raises ApiError."""
        call.check_options("UpdateOptions")
        return self._update(call, replacement(call, self._now()))

    def patch(self, call: Call) -> tuple[Object, bool]:
        """Patch or apply; returns the object and whether it is new. Raises ApiError."""
        call.check_options("PatchOptions")
        check_patch_type(call)
        if media_of(call) != APPLY_PATCH:
            return self._update(call, patched(call, self._now())), False
        stated, change = application(call, self._now())
        if self._live(call) is not None or call.subresource:
            return self._update(call, change), False
        if uid_of(stated):
            told = f"uid mismatch: the provided object specified uid {uid_of(stated)}, and no existing object was found"
            raise conflict(call.resource.plural, call.resource.group, call.name, told)
        empty: Object = {"apiVersion": stated["apiVersion"], "kind": stated["kind"], "metadata": {}}
        return self._create(call, change(empty)), True

    def _live(self, call: Call) -> Object | None:
        return self._store.get(call.resource.place, call.key)

    def _create(self, call: Call, value: Object) -> Object:
        resource = call.resource
        namespace = call.namespace or (name_of(value) if resource.kind == "Namespace" and not resource.group else "")
        attributes = Attributes(
            operation=CREATE,
            resource=resource,
            subresource=call.subresource,
            namespace=namespace,
            name=name_of(value),
            object=value,
            old=None,
            options=call.options("CreateOptions"),
            dry_run=call.dry_run,
            user=call.user,
            namespace_object=self._chain.namespace(call.namespace),
            warnings=call.warnings,
        )
        self._chain.mutate(attributes, lambda changed: completed(changed, resource))
        assert attributes.object is not None
        value = begin(attributes.object, self._now())
        value = prepare_create(value, resource)
        value = accepted(completed(value, resource), resource, None, self._now())
        self._check(value, resource, None)
        attributes.object, attributes.name = value, name_of(value)
        self._chain.validate(attributes)
        if call.dry_run:
            if self._store.get(resource.place, (call.namespace, name_of(value))) is not None:
                raise already_exists(resource.plural, resource.group, name_of(value))
            return value
        try:
            return self._store.create(resource.place, value)
        except Existing:
            raise already_exists(resource.plural, resource.group, name_of(value)) from None

    def _update(self, call: Call, change: Change) -> Object:
        resource = call.resource
        warnings = list(call.warnings)
        for attempt in range(_ATTEMPTS):
            call.warnings[:] = warnings
            live = self._live(call)
            if live is None:
                raise not_found(resource.plural, resource.group, call.name)
            wanted = change(live)
            try:
                return self._replace(call, live, wanted)
            except VersionConflict:
                stated = metadata(wanted).get("resourceVersion")
                if attempt == _ATTEMPTS - 1 or (stated and call.verb == "update"):
                    break
        raise conflict(resource.plural, resource.group, call.name)

    def _replace(self, call: Call, live: Object, wanted: Object) -> Object:
        resource = call.resource
        attributes = Attributes(
            operation=UPDATE,
            resource=resource,
            subresource=call.subresource,
            namespace=call.namespace or (call.name if resource.kind == "Namespace" and not resource.group else ""),
            name=call.name,
            object=wanted,
            old=live,
            options=call.options("UpdateOptions"),
            dry_run=call.dry_run,
            user=call.user,
            namespace_object=self._chain.namespace(call.namespace),
            warnings=call.warnings,
        )
        self._chain.mutate(attributes, lambda changed: completed(changed, resource))
        assert attributes.object is not None
        value = attributes.object
        _check_version(value, live, call)
        value = with_metadata(value, resourceVersion=metadata(live)["resourceVersion"])
        value = prepare_update(value, live, resource, call.subresource)
        value = accepted(completed(value, resource), resource, live, self._now())
        self._check(value, resource, live)
        attributes.object = value
        self._chain.validate(attributes)
        if same(_without_times(value), _without_times(live)):
            return live
        if call.dry_run:
            return value
        if _is_finished(value, resource):
            self._store.delete(resource.place, live)
            return value
        return self._store.update(resource.place, value, live)

    def _now(self) -> str:
        return format_time(self._clock())

    @staticmethod
    def _check(value: Object, resource: Resource, live: Object | None) -> None:
        found = list(metadata_errors(value, live))
        blocked = any(error.type in BLOCKING for error in found)
        found += check_schema(value, resource, live, blocked=blocked)
        found = found or list(kind_errors(value, resource))
        if found:
            raise invalid(resource.kind, resource.group, name_of(value), found)


def _check_version(value: Object, live: Object, call: Call) -> None:
    resource, meta, uid = call.resource, metadata(value), uid_of(value)
    check_name(value, call, absent=False)
    if call.verb == "update" and uid and uid != uid_of(live):
        told = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(live)}"
        raise conflict(resource.plural, resource.group, name_of(value), told)
    stated = meta.get("resourceVersion")
    if not stated or stated == "0":
        if not resource.unconditional:
            problem = FieldError("Invalid value", "metadata.resourceVersion", "0", "must be specified for an update")
            raise invalid(resource.plural, resource.group, name_of(value), [problem])
    elif not str(stated).isdigit():
        raise ApiError(500, "", f'strconv.ParseUint: parsing "{stated}": invalid syntax')
    elif stated != metadata(live)["resourceVersion"]:
        raise conflict(resource.plural, resource.group, name_of(value))


def _is_finished(value: Object, resource: Resource) -> bool:
    """Whether an object that is going away has nothing left to wait for."""
    meta = metadata(value)
    if "deletionTimestamp" not in meta or meta.get("finalizers"):
        return False
    if resource.kind == "Namespace" and not resource.group:
        return not (value.get("spec") or {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")


def _without_times(value: Object) -> Object:
    meta = dict(metadata(value))
    meta["managedFields"] = [
        {k: v for k, v in entry.items() if k != "time"} for entry in meta.get("managedFields") or ()
    ]
    return {**value, "metadata": meta}
