"""Merging an applied configuration into an object, and removing what its manager no longer states."""

from typing import Any

from webhook.sandbox.objects import Object, copy_of
from webhook.sandbox.ownership.paths import Path, Paths, element_of, is_granular
from webhook.sandbox.resources import Schema


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
    items: Schema = schema.get("items") or {}
    present = {element_of(item, schema): item for item in value}
    wanted = {element_of(item, schema): item for item in stated}
    result: list[Any] = []
    left = list(present)
    for element, item in wanted.items():
        if element in present:
            while left:
                earlier = left.pop(0)
                if earlier == element:
                    break
                if earlier not in wanted:
                    result.append(copy_of(present[earlier]))
            result.append(merge(present[element], item, items))
        else:
            result.append(copy_of(item))
    return result + [copy_of(present[element]) for element in left if element not in wanted]


def remove(value: Object, schema: Schema, gone: Paths, kept: Paths) -> Object:
    """A copy without the fields in ``gone``; a field with parts in ``kept`` stays, as a container of these."""
    holders = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    result: Object = copy_of(value)
    for path in sorted(gone, key=len):
        if path not in holders:
            _cut(result, schema, path)
    return result


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
    if isinstance(value, dict) and element.startswith("f:"):
        name = element[2:]
        if name not in value:
            return None, {}
        others = schema.get("additionalProperties")
        known = (schema.get("properties") or {}).get(name) or (others if isinstance(others, dict) else {})
        return name, known
    if isinstance(value, list) and is_granular(value, schema):
        for index, item in enumerate(value):
            if element_of(item, schema) == element:
                return index, schema.get("items") or {}
    return None, {}
