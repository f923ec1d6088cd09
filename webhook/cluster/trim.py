"""Trimming: keep only the members of an object that are read, so that thousands of objects fit into memory."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from webhook.api.wire import Wire

Trim = Callable[[Mapping[str, Any]], Wire]

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_SHARED_LENGTH: Final = 80


# Interned strings are never freed on Python 3.12.0 to 3.12.6, so only recurring ones may be interned, never versions,
# uids, times or messages.
_NAMES: Final = frozenset({"name", "namespace", "revisionName"})
_CONDITION_MEMBERS: Final = ("type", "status", "reason", "message")


def whole(one: Mapping[str, Any]) -> Wire:
    """The object without managed fields and kubectl's last applied configuration."""
    trimmed: Wire = {_interned(key): _shared(value, key) for key, value in one.items() if key != "metadata"}
    metadata = {key: value for key, value in (one.get("metadata") or {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
    trimmed["metadata"] = _shared(metadata)
    return trimmed


def with_managers(one: Mapping[str, Any]) -> Wire:
    """``whole`` with the field managers that own anything but the status, and which members of the spec each owns.

    They are sorted by name: ``{"manager": "git", "fieldsV1": {"f:spec": {"f:stageMinScale": {}}}}``.
    """
    trimmed = whole(one)
    owned: dict[str, Wire] = {}
    for entry in (one.get("metadata") or {}).get("managedFields") or []:
        if not entry.get("subresource"):
            fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
            owned.setdefault(str(entry.get("manager") or ""), {}).update({key: {} for key in fields})
    if owned:
        trimmed["metadata"]["managedFields"] = [
            {"manager": name, **({"fieldsV1": {"f:spec": _shared(owned[name])}} if owned[name] else {})}
            for name in sorted(owned)
        ]
    return trimmed


def identity(one: Mapping[str, Any]) -> Wire:
    """The name, namespace, uid and version of an object."""
    metadata = one.get("metadata") or {}
    kept = ("name", "namespace", "uid", "resourceVersion")
    return {"metadata": {member: metadata[member] for member in kept if member in metadata}}


def only(*paths: str, conditions: Collection[str] = ()) -> Trim:
    """Keep identity, version, labels and deletion time of an object, and the members at these paths (``status.phase``).

    Of the annotations kubectl's last applied configuration is left out.
    Of the conditions in its status keep those of the given types with type, status, reason and message. Without times,
    equal conditions make equal objects.
    """
    identity = ("name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp")
    wanted = [("metadata", member) for member in identity] + [tuple(path.split(".")) for path in paths]

    def trim(one: Mapping[str, Any]) -> Wire:
        trimmed: Wire = {"metadata": {}}
        for path in wanted:
            _copy(one, trimmed, path)
        if conditions and (kept := _conditions(one, conditions)):
            trimmed.setdefault("status", {})["conditions"] = kept
        return trimmed

    return trim


def _copy(source: Mapping[str, Any], target: Wire, path: Iterable[str]) -> None:
    *parents, last = path
    value: Any = source
    for parent in parents:
        value = value.get(parent)
        if not isinstance(value, Mapping):
            return
    if last not in value:
        return
    for parent in parents:
        target = target.setdefault(sys.intern(parent), {})
    kept = _shared(value[last], last)
    if last == "annotations" and isinstance(kept, dict):
        kept.pop(_LAST_APPLIED, None)
    target[sys.intern(last)] = kept


def _conditions(one: Mapping[str, Any], types: Collection[str]) -> list[Wire]:
    # One object of another shape must not keep the others out of the cache.
    status = one.get("status")
    listed = status.get("conditions") if isinstance(status, Mapping) else None
    found = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    kept = sorted((each for each in found if str(each.get("type")) in types), key=lambda each: str(each["type"]))
    return [{member: condition[member] for member in _CONDITION_MEMBERS if member in condition} for condition in kept]


def _shared(value: Any, member: str = "") -> Any:
    """A copy of the value of a member, in which equal keys, names and labels share one string."""
    if isinstance(value, dict):
        if member == "labels":
            return {_interned(key): _interned(label) for key, label in value.items()}
        return {_interned(key): _shared(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    return _interned(value) if member in _NAMES else value


def _interned(value: Any) -> Any:
    return sys.intern(value) if type(value) is str and len(value) <= _SHARED_LENGTH else value
