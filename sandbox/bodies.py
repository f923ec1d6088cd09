"""From the body of a request to the object it asks for: a function of the live object, with field ownership kept."""

from collections.abc import Callable
from typing import Any, Final

from sandbox.calls import Call
from sandbox.failures import bad_request, invalid, required, unsupported_media
from sandbox.objects import Object, Undecodable, decode, metadata, name_of, with_metadata
from sandbox.ownership import APPLY, UPDATE, Manager, Scope, after_apply, after_update
from sandbox.patches import json_patch, merge_patch
from sandbox.resources import Resource
from sandbox.schema import fill_defaults, prune, validate

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

Change = Callable[[Object], Object]
"""From the live object to the wanted one. Raises ApiError where it does not fit."""


def creation(call: Call, now: str) -> Object:
    """The object that a create asks for, its fields owned by who asks. Raises ApiError."""
    value = _read(call)
    if metadata(value).get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    return after_update(None, value, _manager(call, UPDATE), _scope(call), now)


def replacement(call: Call, now: str) -> Change:
    """What an update asks for. Raises ApiError."""
    value = _read(call)
    return lambda live: after_update(live, value, _manager(call, UPDATE), _scope(call), now)


def patch(call: Call, now: str) -> Change:
    """What a patch asks for. Raises ApiError."""
    if call.media == APPLY_PATCH:
        return _application(call, now)
    if call.media not in (JSON_PATCH, MERGE_PATCH):
        raise unsupported_media((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
    change = parse(call)

    def wanted(live: Object) -> Object:
        result = json_patch(live, change) if call.media == JSON_PATCH else merge_patch(live, change)
        if not isinstance(result, dict):
            raise bad_request("the patch leaves no object")
        return after_update(live, _cleaned(result, call), _manager(call, UPDATE), _scope(call), now)

    return wanted


def _application(call: Call, now: str) -> Change:
    if not call.query.get("fieldManager"):
        raise invalid("PatchOptions", "meta.k8s.io", "", [required("fieldManager", "is required for apply patch")])
    value = parse(call)
    _cleaned(_typed(value, call), call)
    # Defaults have no owner, since they are not part of the configuration.
    applied, _ = prune(_typed(value, call), call.resource.schema)
    if metadata(applied).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")

    def wanted(live: Object) -> Object:
        merged = after_apply(live, applied, _manager(call, APPLY), _scope(call), now, force=call.flag("force"))
        return completed(merged, call.resource)

    return wanted


def parse(call: Call) -> Any:
    """The value of a JSON body. Raises ApiError."""
    try:
        return decode(call.body)
    except Undecodable as problem:
        raise bad_request(f"the object provided is unrecognized: json parse error: {problem}") from None


def completed(value: Object, resource: Resource) -> Object:
    """The object pruned and with defaults. Raises ApiError for metadata of wrong types."""
    pruned, _ = prune(value, resource.schema)
    fill_defaults(pruned, resource.schema)
    for problem in validate(metadata(pruned), resource.schema["properties"]["metadata"], "metadata"):
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"{problem.field}: {problem.message}"
        )
    # Go leaves out empty lists and maps.
    meta = {name: member for name, member in metadata(pruned).items() if member not in ({}, [])}
    return {**pruned, "metadata": meta}


def _read(call: Call) -> Object:
    if (call.media or JSON) != JSON:
        raise unsupported_media(
            (JSON,), "the sandbox reads JSON only; kubectl create namespace writes protobuf: kubectl apply -f FILE"
        )
    return _cleaned(_typed(parse(call), call), call)


def _typed(value: Any, call: Call) -> Object:
    """The value as an object of this resource, with the name and the namespace of the path. Raises ApiError 400."""
    resource = call.resource
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized: it is no JSON object")
    kind, api_version = value.get("kind") or resource.kind, value.get("apiVersion") or resource.api_version
    if (kind, api_version) != (resource.kind, resource.api_version):
        raise bad_request(
            f"invalid object type: {api_version}, Kind={kind}: not {resource.api_version} {resource.kind}"
        )
    name, namespace = name_of(value), metadata(value).get("namespace") or call.namespace
    if call.name and name not in ("", call.name):
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    if resource.namespaced and namespace != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    value = with_metadata(value, name=call.name or name or None, namespace=call.namespace or None)
    return {**value, "kind": kind, "apiVersion": api_version}


def _cleaned(value: Object, call: Call) -> Object:
    """A copy without unknown fields and with defaults. Raises ApiError 400 for unknown fields in strict mode."""
    resource, mode = call.resource, call.query.get("fieldValidation") or "Warn"
    _, unknown = prune(value, resource.schema)
    unknown_fields = [f'unknown field "{path}"' for path in sorted(unknown)]
    if unknown_fields and mode == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(unknown_fields)}"
        )
    if mode != "Ignore":
        call.warnings.extend(unknown_fields)
    return completed(value, resource)


def _manager(call: Call, operation: str) -> Manager:
    return Manager(call.manager, operation, call.resource.api_version, call.subresource)


def _scope(call: Call) -> Scope:
    if call.subresource == "status":
        return Scope(call.resource.schema, frozenset({"metadata", "spec"}))
    return Scope(call.resource.schema, frozenset({"status"}) if call.resource.status else frozenset())
