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
    """Items in the order of the configuration; those that only the object has stay before the next shared one."""
    items: Schema = schema.get("items") or {}
    present = {element_of(item, schema): item for item in value}
    wanted = {element_of(item, schema): item for item in stated}
    held, asked = list(present), list(wanted)
    shared = [element for element in asked if element in present]
    result: list[Any] = []
    done: set[str] = set()

    def take(element: str) -> None:
        done.add(element)
        both = element in present
        result.append(merge(present[element], wanted[element], items) if both else copy_of(wanted[element]))
        if shared and shared[0] == element:
            shared.pop(0)

    while held or asked:
        if held and held[0] not in wanted:
            result.append(copy_of(present[held.pop(0)]))
        elif held and (held[0] in done or (asked and held[0] != asked[0] and shared and held[0] != shared[0])):
            held.pop(0)
        else:
            element = asked.pop(0)
            take(element)
            if held and held[0] == element:
                held.pop(0)
    return result


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
