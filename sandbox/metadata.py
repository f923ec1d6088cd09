"""The rules of metadata: names, labels, annotations, owners, finalizers."""

import re
from collections.abc import Iterator
from typing import Final

from sandbox.failures import FieldError, forbidden_field, invalid_value, required
from sandbox.objects import Object, go_value, metadata
from sandbox.resources import Resource

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LARGEST_ANNOTATIONS: Final = 256 * 1024


def metadata_errors(value: Object, resource: Resource, live: Object | None = None) -> Iterator[FieldError]:
    """What is wrong with the metadata of an object that is about to be stored."""
    meta = metadata(value)
    if live is None:
        yield from _name_errors(meta, resource)
    else:
        found = list(_update_errors(meta, metadata(live)))
        yield from found * 2 if resource.custom else found  # custom resources are checked twice, and say so
    yield from _label_errors(meta.get("labels") or {})
    yield from _annotation_errors(meta.get("annotations") or {})
    yield from _owner_errors(meta.get("ownerReferences") or [])
    for finalizer in meta.get("finalizers") or []:
        if not _is_qualified(str(finalizer)):
            yield invalid_value("metadata.finalizers", finalizer, _QUALIFIED_TEXT)


def finalizer_warnings(value: Object, live: Object | None) -> list[str]:
    """What a custom object's new finalizers deserve to be told."""
    before = metadata(live).get("finalizers") or () if live is not None else ()
    return [
        f"metadata.finalizers: {go_value(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental "
        "conflicts with other finalizer writers"
        for finalizer in metadata(value).get("finalizers") or ()
        if "/" not in finalizer and finalizer not in (*before, "orphan", "foregroundDeletion")
    ]


def _name_errors(meta: Object, resource: Resource) -> Iterator[FieldError]:
    name = str(meta.get("name") or "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource.kind == "Namespace":
        if not re.fullmatch(_LABEL, name) or len(name) > 63:
            yield invalid_value("metadata.name", name, _LABEL_TEXT)
    elif len(name) > 253:
        yield invalid_value("metadata.name", name, "must be no more than 253 bytes")
    elif not re.fullmatch(_SUBDOMAIN, name):
        yield invalid_value("metadata.name", name, _SUBDOMAIN_TEXT)


def _update_errors(meta: Object, live: Object) -> Iterator[FieldError]:
    if "deletionTimestamp" in live:
        new = [f for f in meta.get("finalizers") or [] if f not in (live.get("finalizers") or [])]
        if new:
            listed = ", ".join(go_value(f) for f in new)
            yield forbidden_field(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}",
            )
    for member in ("namespace", "uid"):
        if meta.get(member) != live.get(member):
            yield invalid_value(f"metadata.{member}", meta.get(member) or "", "field is immutable")


def _label_errors(labels: Object) -> Iterator[FieldError]:
    for key, value in labels.items():
        if not _is_qualified(key):
            yield invalid_value("metadata.labels", key, _QUALIFIED_TEXT)
        text = str(value)
        if len(text) > 63:
            yield invalid_value("metadata.labels", text, "must be no more than 63 bytes")
        if not re.fullmatch(rf"({_QUALIFIED})?", text):
            yield invalid_value("metadata.labels", text, _LABEL_VALUE_TEXT)


def _annotation_errors(annotations: Object) -> Iterator[FieldError]:
    for key in annotations:
        if not _is_qualified(key.lower()):
            yield invalid_value("metadata.annotations", key, _QUALIFIED_TEXT)
    if (
        sum(len(str(key).encode()) + len(str(text).encode()) for key, text in annotations.items())
        > _LARGEST_ANNOTATIONS
    ):
        yield FieldError("Too long", "metadata.annotations", "", f"may not be more than {_LARGEST_ANNOTATIONS} bytes")


def _owner_errors(owners: list[Object]) -> Iterator[FieldError]:
    controllers = []
    for owner in owners:
        path = "metadata.ownerReferences"
        for member in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(member):
                yield invalid_value(f"{path}.{member}", owner.get(member) or "", "must not be empty")
        if owner.get("controller"):
            controllers.append(owner)
    if len(controllers) > 1:
        names = " and ".join(f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        yield invalid_value(
            "metadata.ownerReferences",
            owners,
            f'Only one reference can have Controller set to true. Found "true" in references for {names}',
        )


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not re.fullmatch(_SUBDOMAIN, prefix)):
        return False
    return len(name) <= 63 and re.fullmatch(_QUALIFIED, name) is not None


_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
