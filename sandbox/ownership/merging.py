"""Merging an applied configuration into an object, and removing what its manager no longer states."""

from typing import Any

from sandbox.objects import Object, copy_of
from sandbox.ownership.paths import Path, Paths, element_of, is_granular
from sandbox.resources import Schema


def merge(value: Any, stated: Any, schema: Schema) -> Any:
    """The object with everything that is stated; lists that are maps or sets are merged item by item."""
    if type(value) is not type(stated) or not is_granular(stated, schema):
        return copy_of(stated)
    if isinstance(stated, dict):
        properties = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        result: Object = copy_of(value)
        for name, member in stated.items():
            known = properties.get(name) or (others if isinstance(others, dict) else {})
            result[name] = merge(result[name], member, known) if name in result else copy_of(member)
        return result
    return _merged_items(value, stated, schema)


def _merged_items(value: list[Any], stated: list[Any], schema: Schema) -> list[Any]:
    """The items of the object, merged with those that are stated; new ones follow."""
    items: Schema = schema.get("items") or {}
    wanted = {element_of(item, schema): item for item in stated}
    result = []
    for item in value:
        element = element_of(item, schema)
        result.append(merge(item, wanted.pop(element), items) if element in wanted else copy_of(item))
    return result + [copy_of(item) for item in wanted.values()]


def remove(value: Object, schema: Schema, last: Paths, kept: Paths) -> Object:
    """A copy without the fields in ``last`` that nobody keeps; a container goes with the last field kept in it."""
    holders = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    result: Object = copy_of(value)
    for path in sorted(_with_containers(last, schema) - holders, key=len):
        _cut(result, schema, path)
    return result


def _with_containers(paths: Paths, schema: Schema) -> set[Path]:
    """The paths, and the fields named in the schema that lead to them."""
    found = set(paths)
    for path in paths:
        known: Schema = schema
        for length, element in enumerate(path[:-1], start=1):
            named = element.startswith("f:") and element[2:] in (known.get("properties") or {})
            if named:
                found.add(path[:length])
            known = inner_schema(known, element)
    return found


def inner_schema(schema: Schema, element: str) -> Schema:
    """The schema of what a path element leads to."""
    if not element.startswith("f:"):
        return schema.get("items") or {}
    others = schema.get("additionalProperties")
    return (schema.get("properties") or {}).get(element[2:]) or (others if isinstance(others, dict) else {})


def _cut(value: Any, schema: Schema, path: Path) -> None:
    parents: list[tuple[Any, Any]] = []
    for position, element in enumerate(path):
        place, known = _find(value, schema, element)
        if place is None:
            return
        if position == len(path) - 1:
            del value[place]
            if not value and parents:
                container, name = parents[-1]
                container[name] = None
            return
        parents.append((value, place))
        value, schema = value[place], known


def _find(value: Any, schema: Schema, element: str) -> tuple[Any, Schema]:
    if isinstance(value, dict) and element.startswith("f:") and element[2:] in value:
        return element[2:], inner_schema(schema, element)
    if isinstance(value, list) and is_granular(value, schema):
        for index, item in enumerate(value):
            if element_of(item, schema) == element:
                return index, inner_schema(schema, element)
    return None, {}
