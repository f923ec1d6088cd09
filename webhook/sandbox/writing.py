"""Create, update, patch and apply: from a call to a stored object."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from webhook.sandbox.admission.attributes import CREATE, UPDATE, Attributes
from webhook.sandbox.admission.chain import Chain
from webhook.sandbox.calls import Call
from webhook.sandbox.events import stored_form, view_of
from webhook.sandbox.failures import (
    BLOCKING,
    ApiError,
    FieldError,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    not_implemented,
    unsupported_media,
)
from webhook.sandbox.intake import check_schema, check_types, clean, completed, parse, strict_problems, typed
from webhook.sandbox.kinds import complete_kind, kind_errors, kind_warnings
from webhook.sandbox.objects import (
    Object,
    Undecodable,
    decode,
    format_time,
    go_quote,
    json_name,
    metadata,
    name_of,
    namespace_of,
    same,
    uid_of,
)
from webhook.sandbox.ownership.managed import APPLY as APPLY_OPERATION
from webhook.sandbox.ownership.managed import UPDATE as UPDATE_OPERATION
from webhook.sandbox.ownership.managed import Manager, Scope, after_apply, after_update
from webhook.sandbox.ownership.typing import type_problems
from webhook.sandbox.patches import json_patch, merge_patch
from webhook.sandbox.resources import Resource
from webhook.sandbox.schema.pruning import prune
from webhook.sandbox.store import Existing, Store, VersionConflict
from webhook.sandbox.strategic import strategic_merge_patch
from webhook.sandbox.strategy import (
    admitted,
    begin,
    merged_metadata,
    metadata_errors,
    place_in,
    prepare_create,
    prepare_update,
)

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
_ATTEMPTS: Final = 5
"""How often a patch that states no version is tried against a fresh object, as a real API server does."""

Change = Callable[[Object], Object]
"""From the live object to the wanted one, its entries of field ownership included."""


def patch_types(resource: Resource) -> tuple[str, ...]:
    """The patches a resource takes."""
    strategic = () if resource.custom else (STRATEGIC_PATCH,)
    return (JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCH)


class Writer:
    """Carries writes through decoding, ownership, admission and validation into the store."""

    def __init__(self, store: Store, chain: Chain, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock

    def create(self, call: Call) -> Object:
        """Store a new object. Raises ApiError."""
        call.check_options("CreateOptions")
        value = self._read(call)
        value = place_in(value, call.resource, call.namespace)
        stated = metadata(value).get("resourceVersion")
        if stated:
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        value = after_update(None, value, self._manager(call, UPDATE_OPERATION), _scope(call.resource, ""), self._now())
        return self._create(call, value)

    def update(self, call: Call) -> tuple[Object, bool]:
        """Replace an object, or its status; returns it and whether it is new. Raises ApiError."""
        call.check_options("UpdateOptions")
        value = self._read(call)
        value = place_in(value, call.resource, call.namespace)
        if name_of(value) and name_of(value) != call.name:
            raise bad_request(
                f"the name of the object ({name_of(value)}) does not match the name on the URL ({call.name})"
            )
        value = merged_metadata(value, name=call.name)
        manager, scope = self._manager(call, UPDATE_OPERATION), _scope(call.resource, call.subresource)
        if call.resource.create_on_update and self._store.get(call.resource.place, call.key) is None:
            return self._create(call, after_update(None, value, manager, scope, self._now())), True

        def change(live: Object) -> Object:
            return after_update(live, value, manager, scope, self._now())

        return self._update(call, change), False

    def patch(self, call: Call) -> tuple[Object, bool]:
        """Patch or apply; returns the object and whether it is new. Raises ApiError."""
        call.check_options("PatchOptions")
        media = call.content_type.partition(";")[0].strip().lower()
        if media not in patch_types(call.resource):
            raise unsupported_media(patch_types(call.resource))
        if media == APPLY_PATCH:
            return self._apply(call)
        if call.query.get("force"):
            problem = FieldError("Forbidden", "force", "", "may not be specified for non-apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [problem])
        duplicates: list[str] = []
        change = _patch_of(media, _patch_body(call.body, duplicates), call.resource)
        manager, scope = self._manager(call, UPDATE_OPERATION), _scope(call.resource, call.subresource)

        def patched(live: Object) -> Object:
            result = _patched(change(view_of(live, call.view)), call, duplicates)
            return after_update(live, stored_form(result, call.view), manager, scope, self._now())

        return self._update(call, patched), False

    def _apply(self, call: Call) -> tuple[Object, bool]:
        if not call.query.get("fieldManager"):
            problem = FieldError("Required value", "fieldManager", "", "is required for apply patch")
            raise invalid("PatchOptions", "meta.k8s.io", "", [problem])
        if call.view is not call.resource:
            raise not_implemented("server-side apply of events.k8s.io; apply the core event instead")
        duplicates: list[str] = []
        value = self._stated(call, duplicates)
        if name_of(value) and name_of(value) != call.name:
            raise bad_request(
                f"the name of the object ({name_of(value)}) does not match the name on the URL ({call.name})"
            )
        value = place_in(merged_metadata(value, name=call.name), call.resource, call.namespace)
        manager, scope = self._manager(call, APPLY_OPERATION), _scope(call.resource, call.subresource)
        checked = clean_apply(value, call, duplicates)

        def applied(live: Object) -> Object:
            merged = after_apply(live, checked, manager, scope, self._now(), force=call.flag("force"))
            return completed(merged, call.resource)

        if self._store.get(call.resource.place, call.key) is None and not call.subresource:
            empty: Object = {"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": {}}
            if metadata(value).get("uid"):
                why = (
                    f"uid mismatch: the provided object specified uid {uid_of(value)}, and no existing object was found"
                )
                raise conflict(call.resource.plural, call.resource.group, call.name, why)
            return self._create(call, applied(empty)), True
        return self._update(call, applied), False

    def _stated(self, call: Call, duplicates: list[str]) -> Object:
        """The configuration that is applied. Raises ApiError."""
        resource = call.resource
        stated = _patch_body(call.body, duplicates, as_yaml=True)
        if not isinstance(stated, dict):
            raise bad_request(
                f"error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                f"{json_name(stated)} into Go value of type map[string]interface {{}}"
            )
        kind, api_version = stated.get("kind") or "", stated.get("apiVersion") or ""
        if (kind, api_version) != (resource.kind, resource.api_version):
            told = api_version if "/" in str(api_version) else f"/{api_version}"
            raise bad_request(f"invalid object type: {told}, Kind={kind}")
        if metadata(stated).get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        problems = list(type_problems(stated, resource.schema))
        if problems:
            told = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {p}" for p in problems)
            subject = f"{namespace_of(stated)}/{name_of(stated)}; {resource.api_version}, Kind={resource.kind}"
            raise ApiError(500, "", f"failed to create typed patch object ({subject}): {told}")
        return stated

    def _create(self, call: Call, value: Object) -> Object:
        resource = call.resource
        namespace = call.namespace or (name_of(value) if resource.kind == "Namespace" and not resource.group else "")
        attributes = Attributes(
            CREATE,
            resource,
            call.subresource,
            namespace,
            name_of(value),
            value,
            None,
            call.options("CreateOptions"),
            call.dry_run,
            call.user,
            self._chain.namespace(call.namespace),
            call.warnings,
        )
        self._chain.mutate(attributes, lambda changed: completed(changed, resource))
        assert attributes.object is not None
        value = begin(admitted(attributes.object, resource), self._now())
        value = prepare_create(value, resource)
        value = complete_kind(completed(value, resource), resource, None, self._now())
        self._check(value, resource, None)
        call.warnings.extend(kind_warnings(value, resource, None))
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
            live = self._store.get(resource.place, call.key)
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
            UPDATE,
            resource,
            call.subresource,
            call.namespace or (call.name if resource.kind == "Namespace" and not resource.group else ""),
            call.name,
            wanted,
            live,
            call.options("UpdateOptions"),
            call.dry_run,
            call.user,
            self._chain.namespace(call.namespace),
            call.warnings,
        )
        self._chain.mutate(attributes, lambda changed: completed(changed, resource))
        assert attributes.object is not None
        value = attributes.object
        _check_version(value, live, call)
        value = merged_metadata(value, resourceVersion=metadata(live)["resourceVersion"])
        value = prepare_update(value, live, resource, call.subresource)
        value = complete_kind(completed(value, resource), resource, live, self._now())
        self._check(value, resource, live)
        call.warnings.extend(kind_warnings(value, resource, live))
        attributes.object = value
        self._chain.validate(attributes)
        if same(_without_times(value), _without_times(live)):
            return live
        if call.dry_run:
            return value
        if _is_finished(value, resource):
            return self._store.delete(resource.place, self._store.update(resource.place, value, live))
        return self._store.update(resource.place, value, live)

    def _read(self, call: Call) -> Object:
        duplicates: list[str] = []
        value = typed(parse(call.body, call.content_type, duplicates, call.view.kind), call.view, call.body)
        return stored_form(clean(value, call.view, duplicates, call.field_validation, call.warnings), call.view)

    def _manager(self, call: Call, operation: str) -> Manager:
        return Manager(call.manager, operation, call.resource.api_version, call.subresource)

    def _now(self) -> str:
        return format_time(self._clock())

    @staticmethod
    def _check(value: Object, resource: Resource, live: Object | None) -> None:
        found = list(metadata_errors(value, resource, live))
        blocked = any(error.type in BLOCKING for error in found)
        found += check_schema(value, resource, live, blocked=blocked)
        found = found or list(kind_errors(value, resource, live))
        if found:
            raise invalid(resource.kind, resource.group, name_of(value), found)


def clean_apply(value: Object, call: Call, duplicates: Sequence[str]) -> Object:
    """An applied configuration without unknown fields; it gets no defaults, as nobody stated them. Raises ApiError."""
    clean(value, call.resource, duplicates, call.field_validation, call.warnings)
    pruned, _ = prune(value, call.resource.schema)
    check_types(pruned, call.resource)
    return pruned


def _patched(value: Object, call: Call, duplicates: Sequence[str]) -> Object:
    """The result of a patch, cleaned. Raises ApiError, 422 in strict mode."""
    _, unknown = prune(value, call.view.schema)
    told = strict_problems(unknown, duplicates)
    if told and call.field_validation == "Strict":
        shown = go_quote(json.dumps(value, separators=(",", ":"), sort_keys=True))
        raise invalid(
            "", "", "", [FieldError("Invalid value", "patch", shown, f"strict decoding error: {', '.join(told)}")]
        )
    return clean(value, call.view, duplicates, call.field_validation, call.warnings)


def _patch_body(body: bytes, duplicates: list[str], *, as_yaml: bool = False) -> Any:
    try:
        return decode(body, duplicates, as_yaml=as_yaml and not body.lstrip().startswith(b"{"))
    except Undecodable as problem:
        raise bad_request(f"error decoding patch: {problem}") from None


def _patch_of(media: str, change: Any, resource: Resource) -> Change:
    if media == JSON_PATCH:
        return lambda live: json_patch(live, change)
    if not isinstance(change, dict):
        told = f"json: cannot unmarshal {json_name(change)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {told}")
    if media == MERGE_PATCH:
        return lambda live: _object(merge_patch(live, change))
    return lambda live: _object(strategic_merge_patch(live, change, resource.schema))


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise bad_request("the patch leaves no object")
    return value


def _scope(resource: Resource, subresource: str) -> Scope:
    if subresource == "status":
        return Scope(resource.schema, frozenset({"metadata", "spec"}))
    return Scope(resource.schema, frozenset({"status"}) if resource.status else frozenset())


def _check_version(value: Object, live: Object, call: Call) -> None:
    resource, meta, uid = call.resource, metadata(value), uid_of(value)
    if meta.get("name") != call.name:
        raise bad_request(
            f"the name of the object ({meta.get('name') or ''}) does not match the name on the URL ({call.name})"
        )
    if call.verb == "update" and uid and uid != uid_of(live):
        told = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {uid_of(live)}"
        raise conflict(resource.plural, resource.group, name_of(value), _storage_error(call, told))
    stated = meta.get("resourceVersion")
    if not stated or stated == "0":
        if not resource.unconditional:
            problem = FieldError("Invalid value", "metadata.resourceVersion", "0", "must be specified for an update")
            raise invalid(resource.plural, resource.group, name_of(value), [problem])
    elif not str(stated).isdigit():
        raise ApiError(500, "", f'strconv.ParseUint: parsing "{stated}": invalid syntax')
    elif stated != metadata(live)["resourceVersion"]:
        raise conflict(resource.plural, resource.group, name_of(value))


def _storage_error(call: Call, told: str) -> str:
    parts = [part for part in (call.resource.group, call.resource.plural, call.namespace, call.name) if part]
    key = "/registry/" + "/".join(parts)
    return f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {told}"


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
