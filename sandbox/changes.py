"""From the body of a request to the change it asks for: a function of the live object, with field ownership kept."""

from collections.abc import Callable
from typing import Any, Final

from sandbox.calls import Call
from sandbox.failures import (
    ApiError,
    FieldError,
    bad_request,
    invalid,
    required,
    unsupported_media,
)
from sandbox.intake import check_types, clean, completed, parse, typed
from sandbox.objects import (
    Object,
    Undecodable,
    decode,
    json_name,
    metadata,
    name_of,
    with_metadata,
)
from sandbox.ownership.managed import APPLY, UPDATE, Manager, Scope, after_apply, after_update
from sandbox.patches import json_patch, merge_patch
from sandbox.schema.pruning import prune
from sandbox.strategy import place_in

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

Change = Callable[[Object], Object]
"""From the live object to the wanted one. Raises ApiError where it does not fit."""


def creation(call: Call, now: str) -> Object:
    """The object that a create asks for, its fields owned by who asks. Raises ApiError."""
    value = place_in(_read(call), call.resource, call.namespace)
    if metadata(value).get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    return after_update(None, value, _manager(call, UPDATE), _scope(call), now)


def replacement(call: Call, now: str) -> Change:
    """What an update asks for. Raises ApiError."""
    value = place_in(_read(call), call.resource, call.namespace)
    check_name(value, call)
    value = with_metadata(value, name=call.name)
    return lambda live: after_update(live, value, _manager(call, UPDATE), _scope(call), now)


def patched(call: Call, now: str) -> Change:
    """What a patch asks for that is no apply. Raises ApiError."""
    if call.query.get("force"):
        problem = FieldError("Forbidden", "force", "", "may not be specified for non-apply patch")
        raise invalid("PatchOptions", "meta.k8s.io", "", [problem])
    change = _patch_of(media_of(call), _body(call.body))

    def wanted(live: Object) -> Object:
        result = _cleaned(change(live), call)
        return after_update(live, result, _manager(call, UPDATE), _scope(call), now)

    return wanted


def application(call: Call, now: str) -> tuple[Object, Change]:
    """The configuration of an apply, and what it asks for. Raises ApiError."""
    if not call.query.get("fieldManager"):
        raise invalid("PatchOptions", "meta.k8s.io", "", [required("fieldManager", "is required for apply patch")])
    stated = _configuration(call)
    check_name(stated, call)
    stated = place_in(with_metadata(stated, name=call.name), call.resource, call.namespace)
    # It is checked with its defaults and merged without them, as nobody stated these.
    clean(stated, call.resource, call.field_validation, call.warnings)
    stated, _ = prune(stated, call.resource.schema)
    check_types(stated, call.resource)

    def wanted(live: Object) -> Object:
        manager = _manager(call, APPLY)
        merged = after_apply(live, stated, manager, _scope(call), now, force=call.flag("force"))
        return completed(merged, call.resource)

    return stated, wanted


def check_patch_type(call: Call) -> None:
    """Refuse a patch of another type than these. Raises ApiError 415."""
    taken = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
    if media_of(call) not in taken:
        raise unsupported_media(taken)


def media_of(call: Call) -> str:
    """The media type of the body without its parameters."""
    return call.content_type.partition(";")[0].strip().lower()


def check_name(value: Object, call: Call, *, absent: bool = True) -> None:
    """Refuse an object of another name than that of the path. Raises ApiError 400."""
    name = name_of(value)
    if name != call.name and not (absent and not name):
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")


def _read(call: Call) -> Object:
    value = typed(parse(call.body, call.content_type), call.resource)
    return clean(value, call.resource, call.field_validation, call.warnings)


def _manager(call: Call, operation: str) -> Manager:
    return Manager(call.manager, operation, call.resource.api_version, call.subresource)


def _scope(call: Call) -> Scope:
    if call.subresource == "status":
        return Scope(call.resource.schema, frozenset({"metadata", "spec"}))
    return Scope(call.resource.schema, frozenset({"status"}) if call.resource.status else frozenset())


def _body(body: bytes) -> Any:
    try:
        return decode(body)
    except Undecodable as problem:
        raise bad_request(f"error decoding patch: {problem}") from None


def _patch_of(media: str, change: Any) -> Change:
    if media == JSON_PATCH:
        return lambda live: json_patch(live, change)
    if not isinstance(change, dict):
        told = f"json: cannot unmarshal {json_name(change)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {told}")
    return lambda live: _object(merge_patch(live, change))


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise bad_request("the patch leaves no object")
    return value


def _cleaned(value: Object, call: Call) -> Object:
    """The result of a patch, cleaned. Raises ApiError, 422 in strict mode."""
    _, unknown = prune(value, call.resource.schema)
    if unknown and call.field_validation == "Strict":
        told = ", ".join(f'unknown field "{path}"' for path in sorted(unknown))
        problem = FieldError("Invalid value", "patch", "", f"strict decoding error: {told}")
        raise invalid("", "", "", [problem])
    return clean(value, call.resource, call.field_validation, call.warnings)


def _configuration(call: Call) -> Object:
    resource = call.resource
    stated = _body(call.body)
    if not isinstance(stated, dict):
        raise bad_request(f"error decoding patch: json: cannot unmarshal {json_name(stated)}")
    kind, api_version = stated.get("kind") or "", stated.get("apiVersion") or ""
    if (kind, api_version) != (resource.kind, resource.api_version):
        told = api_version if "/" in str(api_version) else f"/{api_version}"
        raise bad_request(f"invalid object type: {told}, Kind={kind}")
    if metadata(stated).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    return stated
