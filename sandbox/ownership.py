"""Field ownership: who wrote which field (``metadata.managedFields``), and server-side apply, which rests on it.

A field is a leaf of an object: a scalar, an atomic list, or an empty container.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.failures import ApiError
from sandbox.objects import Object, copy_of, encode, metadata, uid_of, with_metadata
from sandbox.resources import Schema
from sandbox.schema import member_schema

APPLY: Final = "Apply"
UPDATE: Final = "Update"

Path = tuple[str, ...]
"""Elements in their FieldsV1 form: ``f:name`` a member, ``k:{...}`` an item by keys, ``v:...`` an item by value."""
Paths = frozenset[Path]

_UNOWNED: Final = frozenset({("f:apiVersion",), ("f:kind",)}) | {
    ("f:metadata", f"f:{name}")
    for name in ("name", "namespace", "creationTimestamp", "uid", "generation", "resourceVersion", "managedFields")
}


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """Who writes: name, ``Apply`` or ``Update``, the version of the object, and the subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        text = json.dumps(self.name)
        if self.subresource:
            text += f" with subresource {json.dumps(self.subresource)}"
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class OwnedFields:
    """The fields of one manager and when they last changed."""

    time: str
    paths: Paths

    def without(self, paths: Paths) -> "OwnedFields":
        return replace(self, paths=self.paths - paths)


Entries = dict[Manager, OwnedFields]


@dataclass(frozen=True, slots=True)
class Scope:
    """What one write sees of an object: its schema, and top-level fields that it cannot touch (such as ``status``)."""

    schema: Schema
    ignored: frozenset[str]

    def leaves(self, value: Object) -> dict[Path, Any]:
        """The fields that can have an owner, with their values."""
        kept = {name: member for name, member in value.items() if name not in self.ignored}
        return {path: leaf for path, leaf in _leaves(kept, self.schema, ()) if path[:2] not in _UNOWNED and path}


def after_update(live: Object | None, new: Object, manager: Manager, scope: Scope, now: str) -> Object:
    """The new object with its entries: what it changed now belongs to this manager alone."""
    changed, removed = _difference(live or {}, new, scope)
    entries = _without(_read(live or {}), changed | removed)
    if changed:
        mine = entries[manager].paths if manager in entries else frozenset()
        entries[manager] = OwnedFields(now, changed | mine)
    return _with_entries(new, entries)


def after_apply(live: Object, applied: Object, manager: Manager, scope: Scope, now: str, *, force: bool) -> Object:
    """The live object with a configuration applied. Raises ApiError 409 where other managers own what it changes."""
    entries = _read(live)
    if not entries and uid_of(live):
        before = Manager("before-first-apply", UPDATE, manager.api_version)
        entries[before] = OwnedFields(now, frozenset(scope.leaves(live)))
    last = entries.pop(manager, None)
    mine = frozenset(scope.leaves(applied))
    merged = _merged(live, applied, scope.schema)
    if last is not None:
        for path in last.paths - mine.union(*(entry.paths for entry in entries.values())):
            _cut(merged, scope.schema, path)
    changed, removed = _difference(live, merged, scope)
    if not force:
        _refuse_conflicts(entries, changed)
    time = now if changed or removed or last is None else last.time
    return _with_entries(merged, {**_without(entries, changed | removed), manager: OwnedFields(time, mine)})


def _difference(old: Object, new: Object, scope: Scope) -> tuple[Paths, Paths]:
    """The fields that were added or changed, and those that were removed."""
    before, after = scope.leaves(old), scope.leaves(new)
    changed = frozenset(path for path, leaf in after.items() if path not in before or before[path] != leaf)
    return changed, frozenset(before.keys() - after.keys())


def _without(entries: Entries, paths: Paths) -> Entries:
    return {manager: entry.without(paths) for manager, entry in entries.items()}


def _refuse_conflicts(others: Entries, changed: Paths) -> None:
    found = [
        (str(who), _shown(path)) for who, entry in sorted(others.items()) for path in sorted(entry.paths & changed)
    ]
    if not found:
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field} for who, field in found
    ]
    if len(found) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        listed = [f"conflicts with {who}:\n- {field}" for who, field in found]
        text = f"Apply failed with {len(found)} conflicts: " + "\n".join(listed)
    raise ApiError(409, "Conflict", text, {"causes": causes})


# The parts of a value


def _is_granular(value: Any, schema: Schema) -> bool:
    """True if the parts of a value have owners of their own."""
    if isinstance(value, dict):
        return bool(value) and schema.get("x-kubernetes-map-type") != "atomic"
    return isinstance(value, list) and bool(value) and schema.get("x-kubernetes-list-type") in ("map", "set")


def _parts(value: Any, schema: Schema) -> Iterator[tuple[str, Any, Any, Schema]]:
    """The parts of a granular value: path element, key or index, part, and its schema."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"f:{name}", name, member, member_schema(name, schema) or {}
    else:
        items: Schema = schema.get("items") or {}
        keys = schema.get("x-kubernetes-list-map-keys")
        for index, item in enumerate(value):
            element = (
                f"k:{encode({k: item.get(k) for k in sorted(keys)}).decode()}" if keys else f"v:{json.dumps(item)}"
            )
            yield element, index, item, items


def _leaves(value: Any, schema: Schema, path: Path) -> Iterator[tuple[Path, Any]]:
    if not _is_granular(value, schema):
        yield path, value
        return
    for element, _, part, known in _parts(value, schema):
        yield from _leaves(part, known, (*path, element))


def _merged(value: Any, applied: Any, schema: Schema) -> Any:
    """The value with everything that is applied; lists that are maps or sets are merged item by item."""
    if type(value) is not type(applied) or not _is_granular(applied, schema):
        return copy_of(applied)
    result = copy_of(value)
    places = {element: key for element, key, _, _ in _parts(value, schema)}
    for element, key, part, known in _parts(applied, schema):
        if element in places:
            result[places[element]] = _merged(result[places[element]], part, known)
        elif isinstance(result, dict):
            result[key] = copy_of(part)
        else:
            result.append(copy_of(part))
    return result


def _cut(value: Any, schema: Schema, path: Path) -> None:
    """Remove a field in place, and with it every container that it leaves empty."""
    if not isinstance(value, dict | list):
        return
    for element, key, part, known in list(_parts(value, schema)):
        if element == path[0]:
            if len(path) > 1:
                _cut(part, known, path[1:])
            if len(path) == 1 or part in ({}, []):
                del value[key]


# The wire form


def _read(value: Mapping[str, Any]) -> Entries:
    entries: Entries = {}
    for raw in metadata(value).get("managedFields") or ():
        manager = Manager(raw["manager"], raw["operation"], raw["apiVersion"], raw.get("subresource", ""))
        entries[manager] = OwnedFields(raw.get("time", ""), frozenset(_from_fields(raw["fieldsV1"], ())))
    return entries


def _with_entries(value: Object, entries: Entries) -> Object:
    kept = sorted((who.operation, entry.time, who, entry.paths) for who, entry in entries.items() if entry.paths)
    written = [_to_dict(who, OwnedFields(time, paths)) for _, time, who, paths in kept]
    return with_metadata(value, managedFields=written or None)


def _to_dict(manager: Manager, entry: OwnedFields) -> Object:
    data: Object = {"manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version}
    if entry.time:
        data["time"] = entry.time
    data |= {"fieldsType": "FieldsV1", "fieldsV1": _to_fields(entry.paths)}
    return data | {"subresource": manager.subresource} if manager.subresource else data


def _from_fields(fields: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for element, inner in fields.items():
        if inner:
            yield from _from_fields(inner, (*path, element))
        else:
            yield (*path, element)


def _to_fields(paths: Iterable[Path]) -> Object:
    root: Object = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    return root


def _shown(path: Path) -> str:
    """A path as messages show it: ``.spec.containers[name="a"].image``."""
    text = ""
    for element in path:
        kind, rest = element[:2], element[2:]
        if kind == "k:":
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
        else:
            text += f".{rest}" if kind == "f:" else f"[={rest}]"
    return text
