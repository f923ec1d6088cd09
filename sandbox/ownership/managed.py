"""``metadata.managedFields``: kept up to date by every write, and the judge of every apply."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.failures import ApiError, bad_request
from sandbox.objects import Object, go_quote, metadata
from sandbox.ownership.merging import merge, remove
from sandbox.ownership.paths import Path, Paths, compare, from_fields, paths_of, shown, to_fields
from sandbox.resources import Schema

APPLY: Final = "Apply"
UPDATE: Final = "Update"

_UNOWNED: Final[frozenset[Path]] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "resourceVersion")
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """Who writes: name, ``Apply`` or ``Update``, subresource. Two versions of an object make two updating managers."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.name, self.operation, "" if self.operation == APPLY else self.api_version, self.subresource

    def __str__(self) -> str:
        text = go_quote(self.name)
        if self.subresource:
            text += f" with subresource {go_quote(self.subresource)}"
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of one manager and when they last changed."""

    manager: Manager
    time: str
    paths: Paths


Entries = dict[tuple[str, str, str, str], Entry]


@dataclass(frozen=True, slots=True)
class Scope:
    """What one write sees of an object: its schema, and top-level fields that it cannot touch (such as ``status``)."""

    schema: Schema
    ignored: frozenset[str]

    def owned(self, paths: Paths) -> Paths:
        """Without the fields that nobody owns or this write ignores."""
        return frozenset(
            path for path in paths if path not in _UNOWNED and path[0] not in {f"f:{name}" for name in self.ignored}
        )


def read(value: Mapping[str, Any]) -> Entries:
    """The entries of an object. Raises ApiError 400 if they are no entries."""
    entries: Entries = {}
    for raw in metadata(value).get("managedFields") or ():
        if raw == {}:
            continue
        if not isinstance(raw, dict) or raw.get("operation") not in (APPLY, UPDATE):
            raise bad_request("metadata.managedFields: Invalid value: each entry needs the operation Apply or Update")
        manager = Manager(
            str(raw.get("manager") or ""),
            raw["operation"],
            str(raw.get("apiVersion") or ""),
            str(raw.get("subresource") or ""),
        )
        entries[manager.identity] = Entry(manager, str(raw.get("time") or ""), from_fields(raw.get("fieldsV1")))
    return entries


def write(entries: Iterable[Entry]) -> list[Object]:
    """The wire form, sorted as an API server sorts it."""
    kept = [entry for entry in entries if entry.paths]
    kept.sort(key=lambda e: (e.manager.operation, e.time, e.manager.name, e.manager.api_version, e.manager.subresource))
    return [_to_dict(entry) for entry in kept]


def _to_dict(entry: Entry) -> Object:
    manager = entry.manager
    data: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
    }
    if entry.time:
        data["time"] = entry.time
    data |= {"fieldsType": "FieldsV1", "fieldsV1": to_fields(entry.paths)}
    return data | {"subresource": manager.subresource} if manager.subresource else data


def bare(value: Object) -> Object:
    """The object without its entries."""
    return value | {"metadata": {k: v for k, v in metadata(value).items() if k != "managedFields"}}


def with_entries(value: Object, entries: Iterable[Entry]) -> Object:
    """The object with these entries."""
    stripped = bare(value)
    written = write(entries)
    return stripped | {"metadata": metadata(stripped) | {"managedFields": written}} if written else stripped


def after_update(live: Object | None, new: Object, manager: Manager, scope: Scope, now: str) -> Object:
    """The new object with its entries: what it changed now belongs to this manager and to nobody else."""
    stated = metadata(new).get("managedFields")
    entries = read(new) if stated or live is None else read(live)
    if stated and all(raw == {} for raw in stated):
        entries = {}
    difference = compare(bare(live) if live is not None else _empty(new), bare(new), scope.schema)
    changed = scope.owned(difference.added | difference.modified)
    removed = scope.owned(difference.removed)
    entries = {identity: replace(entry, paths=entry.paths - changed - removed) for identity, entry in entries.items()}
    if changed:
        mine = entries.get(manager.identity)
        entries[manager.identity] = Entry(manager, now, changed | (mine.paths if mine else frozenset()))
    return with_entries(new, entries.values())


def after_apply(live: Object, stated: Object, manager: Manager, scope: Scope, now: str, *, force: bool) -> Object:
    """The live object with a configuration applied. Raises ApiError 409 where other managers own what it changes."""
    if metadata(stated).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    entries = read(live)
    if not entries and metadata(live).get("uid"):
        first = Manager("before-first-apply", UPDATE, manager.api_version)
        entries[first.identity] = Entry(first, now, scope.owned(compare(_empty(live), bare(live), scope.schema).added))
    last = entries.get(manager.identity)
    mine = scope.owned(paths_of(stated, scope.schema))
    live_bare = bare(live)
    merged = merge(live_bare, stated, scope.schema)
    others = {identity: entry for identity, entry in entries.items() if identity != manager.identity}
    if last is not None:
        claimed = mine.union(*(entry.paths for entry in others.values()))
        merged = remove(merged, scope.schema, last.paths, claimed)
    difference = compare(live_bare, merged, scope.schema)
    changed, removed = scope.owned(difference.added | difference.modified), scope.owned(difference.removed)
    if not force:
        _refuse_conflicts(others.values(), changed)
    others = {i: replace(entry, paths=entry.paths - changed - removed) for i, entry in others.items()}
    # Who only comes to share what is there already is not told a time.
    time = now if changed or removed else last.time if last is not None else ""
    return with_entries(merged, [*others.values(), Entry(manager, time, mine)])


def _empty(value: Object) -> Object:
    return {"apiVersion": value.get("apiVersion"), "kind": value.get("kind"), "metadata": {}}


def _refuse_conflicts(others: Iterable[Entry], changed: Paths) -> None:
    found = {str(entry.manager): sorted(entry.paths & changed) for entry in others if entry.paths & changed}
    if not found:
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": shown(path)}
        for manager, paths in sorted(found.items())
        for path in paths
    ]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = []
        for manager, paths in sorted(found.items()):
            lines.append(f"conflicts with {manager}:")
            lines += [f"- {shown(path)}" for path in paths]
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    raise ApiError(409, "Conflict", text, {"causes": causes})
