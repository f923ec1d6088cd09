"""What a server does to metadata, status and generation of an object before it stores it, and what it refuses there."""

import re
import uuid
from collections.abc import Iterator
from typing import Final

from sandbox.admission import webhook_errors
from sandbox.bodies import completed
from sandbox.definitions import definition_errors, served
from sandbox.failures import FieldError, forbidden_field, invalid, invalid_value, required
from sandbox.objects import Object, generated_name, is_being_deleted, metadata, name_of, with_metadata
from sandbox.resources import Resource
from sandbox.schema import validate

_OWNED_BY_SERVER: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


def prepare_create(value: Object, resource: Resource, now: str) -> Object:
    """The object as it is first stored: with name, uid, time, generation 1, and the status its kind begins in."""
    meta = metadata(value)
    name = meta.get("name") or (generated_name(meta["generateName"]) if meta.get("generateName") else None)
    removed = dict.fromkeys(("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"))
    own = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": now, "generation": 1}
    value = with_metadata(value, **removed, **own)
    if resource.status:
        value = {name: member for name, member in value.items() if name != "status"}
    if resource.kind == "Pod":
        value["status"] = {"phase": "Pending"}
    return _prepared(value, resource, now)


def prepare_update(value: Object, live: Object, resource: Resource, subresource: str, now: str) -> Object:
    """The new object with everything this write cannot touch taken from the live one."""
    if subresource == "status":
        kept = {"managedFields": metadata(value).get("managedFields")}
        value = {**with_metadata(live, **kept), "status": value.get("status")}
    elif resource.status:
        value = {**value, "status": live.get("status")}
    value = {name: member for name, member in value.items() if name != "status" or member is not None}
    kept = {name: metadata(live).get(name) for name in _OWNED_BY_SERVER}
    value = with_metadata(value, **kept, resourceVersion=metadata(live)["resourceVersion"])
    beside = ("metadata", "status")
    if any(value.get(name) != live.get(name) for name in (value.keys() | live.keys()) - set(beside)):
        value = with_metadata(value, generation=metadata(live)["generation"] + 1)
    return _prepared(value, resource, now)


def _prepared(value: Object, resource: Resource, now: str) -> Object:
    value = completed(value, resource)
    if resource.kind == "CustomResourceDefinition":
        return served(value, now)
    if (resource.group, resource.kind) == ("", "Namespace"):
        labels = {**(metadata(value).get("labels") or {}), "kubernetes.io/metadata.name": name_of(value)}
        return with_metadata(value, labels=labels)
    return value


def check(value: Object, resource: Resource, live: Object | None) -> None:
    """Refuse an object that may not be stored; ``live`` is what it replaces. Raises ApiError 422."""
    found = [*_metadata_errors(value, live or {}), *validate(value, resource.schema)]
    if not found and not resource.custom:
        if resource.kind == "CustomResourceDefinition":
            found = list(definition_errors(value))
        elif resource.kind.endswith("WebhookConfiguration"):
            found = list(webhook_errors(value))
    if found:
        raise invalid(resource.kind, resource.group, name_of(value), found)


def _metadata_errors(value: Object, live: Object) -> Iterator[FieldError]:
    meta, name = metadata(value), name_of(value)
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        yield invalid_value("metadata.name", name, "must be a lowercase RFC 1123 subdomain of no more than 253 bytes")
    for text in (meta.get("labels") or {}).values():
        if len(text) > 63 or not _LABEL_VALUE.fullmatch(text):
            why = f"must be no more than 63 bytes, and match {_LABEL_VALUE.pattern}"
            yield invalid_value("metadata.labels", text, why)
    new = set(meta.get("finalizers") or ()) - set(metadata(live).get("finalizers") or ())
    if new and is_being_deleted(live):
        yield forbidden_field("metadata.finalizers", "no new finalizers can be added if the object is being deleted")
