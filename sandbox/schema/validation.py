"""An object against its structural schema, with the texts of a real API server."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.failures import FieldError, invalid_type, invalid_value, required, unsupported
from sandbox.objects import encode, parse_time, same
from sandbox.resources import Schema

KEYWORDS: Final = frozenset(
    {"additionalProperties", "default", "description", "enum", "example", "format", "items", "maxItems", "maxLength"}
    | {"maximum", "minItems", "minLength", "minimum", "nullable", "pattern", "properties", "required", "title", "type"}
    | {"x-kubernetes-embedded-resource", "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys"}
    | {"x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-preserve-unknown-fields"}
    | {"x-kubernetes-validations"}
)
"""What a schema may say here."""

_NOTHING: Final = object()
_BITS: Final = {"int32": 31, "int64": 63}


def validate(value: Any, schema: Schema, path: str = "", old: Any = _NOTHING) -> Iterator[FieldError]:
    """Everything that is wrong. What an update leaves as it was is not checked again (``old``: the value before)."""
    if old is not _NOTHING and same(value, old):
        return
    if value is None and schema.get("nullable"):
        return
    wrong_type = _type_error(value, schema, path)
    if wrong_type is not None:
        yield wrong_type
        return
    if "enum" in schema and not any(same(value, option) for option in schema["enum"]):
        yield unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _items(value, schema, path)
    elif isinstance(value, dict):
        yield from _members(value, schema, path, old)


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return {float: "number", str: "string", list: "array"}.get(type(value), "object")


def _type_error(value: Any, schema: Schema, path: str) -> FieldError | None:
    found = _type_name(value)
    if schema.get("x-kubernetes-int-or-string"):
        wanted, fits = "integer,string", found in ("integer", "string")
    else:
        wanted = schema.get("type") or ""
        fits = not wanted or found == wanted or (found == "integer" and wanted == "number")
    if fits:
        return None
    if found == "number" and schema.get("format"):
        found, wanted = "float64", schema["format"]
    shown = f'"{found}"'
    return invalid_type(path, shown, f"{_in_body(path)} in body must be of type {wanted}: {shown}")


def _in_body(path: str) -> str:
    """A status is checked for itself, and its messages name fields from there."""
    return path.removeprefix("status.")


def _text(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    where = f"{_in_body(path)} in body"
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield FieldError("Too long", path, "", f"may not be more than {schema['maxLength']} bytes")
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield invalid_value(path, value, f"{where} should be at least {schema['minLength']} chars long")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid_value(path, value, f"{where} should match '{schema['pattern']}'")
    if schema.get("format") == "date-time" and parse_time(value) is None:
        yield invalid_type(path, f'"{value}"', f'{where} must be of type date-time: "{value}"')


def _number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    bits = _BITS.get(schema.get("format") or "")
    if bits is not None and not -(2**bits) <= value < 2**bits:
        detail = f"Checked value must be of type integer with format {schema['format']} in {path}"
        yield FieldError("Invalid value", "<nil>", '""', detail)
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and value > high:
        yield invalid_value(path, value, f"{_in_body(path)} in body should be less than or equal to {high}")
    if low is not None and value < low:
        yield invalid_value(path, value, f"{_in_body(path)} in body should be greater than or equal to {low}")


def _items(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None and len(value) > most:
        yield FieldError("Too many", path, str(len(value)), f"must have at most {most} items")
    if least is not None and len(value) < least:
        yield invalid_value(path, len(value), f"{_in_body(path)} in body should have at least {least} items")
    for index, item in enumerate(value):
        yield from validate(item, schema.get("items") or {}, f"{path}[{index}]")
    yield from _duplicates(value, schema, path)


def _duplicates(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("x-kubernetes-list-type") not in ("map", "set"):
        return
    keys = schema.get("x-kubernetes-list-map-keys") or []
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        shown = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
        mark = encode(shown)
        if mark in seen:
            yield FieldError("Duplicate value", f"{path}[{index}]", mark.decode())
        seen.add(mark)


def _members(value: Mapping[str, Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value:
            yield required(f"{path}.{name}" if path else name)
    before = old if isinstance(old, dict) else {}
    for name, member in value.items():
        known = properties.get(name, others if isinstance(others, dict) else None)
        if known is not None:
            yield from validate(member, known, f"{path}.{name}" if path else name, before.get(name, _NOTHING))
