"""Unknown fields are removed and told, nulls that may not be are removed, defaults are filled in."""

from typing import Any, Final

from sandbox.objects import Object, copy_of
from sandbox.resources import Schema

_ROOT: Final = frozenset({"apiVersion", "kind", "metadata"})


def prune(value: Object, schema: Schema) -> tuple[Object, list[str]]:
    """A copy without the fields that the schema does not know, and their paths in the order they were met."""
    unknown: list[str] = []
    return _pruned(value, schema, "", unknown, root=True), unknown


def _pruned(value: Any, schema: Schema, path: str, unknown: list[str], *, root: bool = False) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return copy_of(value)
        return [_pruned(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    embedded = root or bool(schema.get("x-kubernetes-embedded-resource"))
    properties: dict[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    keep = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or others is True
    result: Object = {}
    for name, member in value.items():
        where = f"{path}.{name}" if path else name
        if name in properties:
            result[name] = _pruned(member, properties[name], where, unknown)
        elif isinstance(others, dict):
            result[name] = _pruned(member, others, where, unknown)
        elif keep or (embedded and name in _ROOT):
            result[name] = copy_of(member)
        else:
            unknown.append(where)
    return result


def fill_defaults(value: Any, schema: Schema) -> None:
    """Remove nulls where null is not allowed, then add absent defaults, in place and all the way down."""
    if isinstance(value, list):
        for item in value:
            fill_defaults(item, schema.get("items") or {})
    elif isinstance(value, dict):
        _drop_nulls(value, schema)
        properties = schema.get("properties") or {}
        for name, known in properties.items():
            if "default" in known and name not in value:
                value[name] = copy_of(known["default"])
        for name, member in value.items():
            inner = _known(name, schema)
            if inner is not None:
                fill_defaults(member, inner)


def _drop_nulls(value: Object, schema: Schema) -> None:
    for name in [name for name, member in value.items() if member is None]:
        known = _known(name, schema)
        if known is not None and not known.get("nullable") and not known.get("x-kubernetes-preserve-unknown-fields"):
            del value[name]


def _known(name: str, schema: Schema) -> Schema | None:
    """The schema of a member; None where nothing is said about it."""
    others = schema.get("additionalProperties")
    found = (schema.get("properties") or {}).get(name, others)
    return found if isinstance(found, dict) else None
