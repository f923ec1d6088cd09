"""Sets of fields: the paths of a value by its schema, and their FieldsV1 form."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.objects import Object, encode, go_value, same
from sandbox.resources import Schema

Path = tuple[str, ...]
"""Elements in their FieldsV1 form: ``f:name`` a member, ``k:{...}`` an item by keys, ``v:...`` an item by value."""

Paths = frozenset[Path]

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two objects."""

    added: Paths
    modified: Paths
    removed: Paths


def is_granular(value: Any, schema: Schema) -> bool:
    """Whether the parts of a value have owners of their own."""
    if isinstance(value, dict):
        return schema.get("x-kubernetes-map-type") != "atomic"
    return isinstance(value, list) and schema.get("x-kubernetes-list-type") in ("map", "set")


def children(value: Any, schema: Schema) -> Iterator[tuple[str, Any, Schema, bool]]:
    """The parts of a granular value: path element, part, its schema, and whether the schema names it."""
    if isinstance(value, dict):
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        for name, member in value.items():
            known = properties.get(name)
            yield f"f:{name}", member, known or (others if isinstance(others, dict) else {}), known is not None
    else:
        items: Schema = schema.get("items") or {}
        for item in value:
            yield element_of(item, schema), item, items, False


def element_of(item: Any, schema: Schema) -> str:
    """The path element of an item of a list that is a map or a set."""
    if schema.get("x-kubernetes-list-type") == "set":
        return f"v:{encode(item).decode()}"
    properties = (schema.get("items") or {}).get("properties") or {}
    keys: Object = {}
    for key in sorted(schema.get("x-kubernetes-list-map-keys") or ()):
        if isinstance(item, dict) and key in item:
            keys[key] = item[key]
        elif "default" in properties.get(key, {}):
            keys[key] = properties[key]["default"]
    return f"k:{encode(keys).decode()}"


def paths_of(value: Any, schema: Schema) -> Paths:
    """The fields that an applied configuration states."""
    return frozenset(_stated(value, schema, ()))


def _stated(value: Any, schema: Schema, path: Path) -> Iterator[Path]:
    if not is_granular(value, schema):
        yield path
        return
    for element, part, known, named in children(value, schema):
        here = (*path, element)
        yield from _stated(part, known, here)
        if part is None or part == {} or not named:
            yield here


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """The fields that were added, modified and removed."""
    added: set[Path] = set()
    modified: set[Path] = set()
    removed: set[Path] = set()
    _compare(old, new, schema, (), (added, modified, removed))
    return Comparison(frozenset(added), frozenset(modified), frozenset(removed))


def _compare(old: Any, new: Any, schema: Schema, path: Path, into: tuple[set[Path], set[Path], set[Path]]) -> None:
    added, modified, removed = into
    if old is _MISSING:
        _all(new, schema, path, added)
    elif new is _MISSING:
        _all(old, schema, path, removed)
    elif not _both_granular(old, new, schema) or (not old and not new):
        if not same(old, new):
            modified.add(path)
    else:
        old, new = (type(new)() if old is None else old), (type(old)() if new is None else new)
        before = {element: (part, known) for element, part, known, _ in children(old, schema)}
        after = {element: (part, known) for element, part, known, _ in children(new, schema)}
        for element in before.keys() | after.keys():
            was, known = before.get(element, (_MISSING, {}))
            now, known = after.get(element, (_MISSING, known))
            _compare(was, now, known, (*path, element), into)


def _both_granular(old: Any, new: Any, schema: Schema) -> bool:
    """Whether the parts of both are compared; null stands for an empty container there."""
    if old is None or new is None:
        return is_granular(old if new is None else new, schema)
    return type(old) is type(new) and is_granular(new, schema)


def _all(value: Any, schema: Schema, path: Path, into: set[Path]) -> None:
    if path:
        into.add(path)
    if is_granular(value, schema):
        for element, part, known, _ in children(value, schema):
            _all(part, known, (*path, element), into)


def from_fields(fields: Any) -> Paths:
    """The set that a FieldsV1 object stands for."""
    found: set[Path] = set()

    def walk(node: Mapping[str, Any], path: Path) -> None:
        for element, child in node.items():
            if element == ".":
                found.add(path)
            elif child:
                walk(child, (*path, element))
            else:
                found.add((*path, element))

    walk(fields if isinstance(fields, dict) else {}, ())
    return frozenset(found)


def to_fields(paths: Paths) -> Object:
    """The FieldsV1 object of a set."""
    root: Object = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _tidied(root)


def _tidied(node: Object) -> Object:
    if node.keys() == {"."}:
        return {}
    return {element: _tidied(child) if element != "." else {} for element, child in sorted(node.items())}


def shown(path: Path) -> str:
    """A path as messages show it: ``.spec.containers[name="a"].image``."""
    text = ""
    for element in path:
        kind, rest = element[:2], element[2:]
        if kind == "f:":
            text += f".{rest}"
        elif kind == "v:":
            text += f"[={rest}]"
        else:
            keys: Object = json.loads(rest)
            text += "[" + ",".join(f"{key}={go_value(value)}" for key, value in sorted(keys.items())) + "]"
    return text
