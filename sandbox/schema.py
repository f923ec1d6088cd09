"""What a structural schema does to an object: unknown fields go, defaults come, and the rest is checked.

CEL rules (``x-kubernetes-validations``) are not evaluated.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sandbox.failures import FieldError, invalid_value, required, unsupported, wrong_type
from sandbox.objects import Object, copy_of, parse_time
from sandbox.resources import Schema

KEYWORDS: Final = frozenset(
    {"additionalProperties", "default", "description", "enum", "format", "items", "maxItems", "maxLength", "maximum"}
    | {"minItems", "minLength", "minimum", "nullable", "pattern", "properties", "required", "title", "type"}
    | {"x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"}
    | {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"}
)
"""What a schema may say here."""

_TYPES: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def member_schema(name: str, schema: Schema) -> Schema | None:
    """The schema of a member of an object; None if the schema does not mention it."""
    found = (schema.get("properties") or {}).get(name, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def prune(value: Any, schema: Schema, path: str = "") -> tuple[Any, list[str]]:
    """A copy without the fields that are not in the schema, and the paths of those."""
    unknown: list[str] = []
    if isinstance(value, list):
        items = []
        for index, item in enumerate(value):
            pruned, more = prune(item, schema.get("items") or _ANY, f"{path}[{index}]")
            items.append(pruned)
            unknown += more
        return items, unknown
    if not isinstance(value, dict):
        return value, unknown
    result: Object = {}
    for name, member in value.items():
        where, known = f"{path}.{name}".lstrip("."), member_schema(name, schema)
        if known is not None:
            result[name], more = prune(member, known, where)
            unknown += more
        elif schema.get("x-kubernetes-preserve-unknown-fields"):
            result[name] = copy_of(member)
        else:
            unknown.append(where)
    return result, unknown


_ANY: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}


def fill_defaults(value: Any, schema: Schema) -> None:
    """Remove nulls where null is not allowed, then add absent defaults, in place and all the way down."""
    if isinstance(value, list):
        for item in value:
            fill_defaults(item, schema.get("items") or {})
    elif isinstance(value, dict):
        for name in [name for name, member in value.items() if member is None]:
            known = member_schema(name, schema)
            if known is not None and not known.get("nullable"):
                del value[name]
        for name, known in (schema.get("properties") or {}).items():
            if "default" in known:
                value.setdefault(name, copy_of(known["default"]))
        for name, member in value.items():
            fill_defaults(member, member_schema(name, schema) or {})


def validate(value: Any, schema: Schema, path: str = "") -> Iterator[FieldError]:
    """Everything that is wrong with a value."""
    if value is None and schema.get("nullable"):
        return
    found = _TYPES.get(type(value), "null")
    wanted = schema.get("type", found)
    if found != wanted and (found, wanted) != ("integer", "number"):
        yield wrong_type(path, found, wanted)
        return
    if "enum" in schema and value not in schema["enum"]:
        yield unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _items(value, schema, path)
    elif isinstance(value, dict):
        yield from (
            required(f"{path}.{name}".lstrip(".")) for name in schema.get("required") or () if name not in value
        )
        for name, member in value.items():
            yield from validate(member, member_schema(name, schema) or {}, f"{path}.{name}".lstrip("."))


def _number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    if value > schema.get("maximum", value):
        yield invalid_value(path, value, f"{path} in body should be less than or equal to {schema['maximum']}")
    if value < schema.get("minimum", value):
        yield invalid_value(path, value, f"{path} in body should be greater than or equal to {schema['minimum']}")


def _text(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxLength", len(value)):
        yield FieldError("FieldValueTooLong", path, f"Too long: may not be more than {schema['maxLength']} bytes")
    if len(value) < schema.get("minLength", 0):
        yield invalid_value(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid_value(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and parse_time(value) is None:
        yield wrong_type(path, value, "date-time")


def _items(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxItems", len(value)):
        message = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield FieldError("FieldValueTooMany", path, message)
    if len(value) < schema.get("minItems", 0):
        yield invalid_value(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    seen: set[str] = set()
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        yield from validate(item, schema.get("items") or {}, where)
        if schema.get("x-kubernetes-list-type") in ("map", "set"):
            mark = json.dumps({key: item.get(key) for key in keys} if keys else item)
            if mark in seen:
                yield FieldError("FieldValueDuplicate", where, f"Duplicate value: {mark}")
            seen.add(mark)
