"""An object against its structural schema, with the texts of a real API server."""

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.failures import FieldError, invalid_type, invalid_value, required, unsupported
from sandbox.objects import encode, parse_time, same
from sandbox.resources import Schema

_NOTHING: Final = object()


def validate(value: Any, schema: Schema, path: str = "", old: Any = _NOTHING) -> Iterator[FieldError]:
    """Everything that is wrong. What an update leaves as it was is not looked at again (``old``: the value before)."""
    if old is not _NOTHING and same(value, old):
        return
    if value is None and schema.get("nullable"):
        return
    wrong_type = _type_error(value, schema, path)
    if wrong_type is not None:
        yield wrong_type
        yield from _format_of_number(value, schema, path)
        return
    yield from _combinations(value, schema, path)
    if "enum" in schema and not any(same(value, option) for option in schema["enum"]):
        yield unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _items(value, schema, path, old)
    elif isinstance(value, dict):
        yield from _members(value, schema, path, old)


def type_name(value: Any) -> str:
    """The JSON schema type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return {float: "number", str: "string", list: "array"}.get(type(value), "object")


def _type_error(value: Any, schema: Schema, path: str) -> FieldError | None:
    found = type_name(value)
    if schema.get("x-kubernetes-int-or-string"):
        wanted = "integer,string"
        fits = found in ("integer", "string")
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


def _combinations(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    for option in schema.get("allOf") or ():
        yield from validate(value, option, path)
    if schema.get("anyOf") and not any(_fits(value, option) for option in schema["anyOf"]):
        yield FieldError("Invalid value", "<nil>", '""', f'"{path}" must validate at least one schema (anyOf)')
        yield from validate(value, schema["anyOf"][0], path)
    if schema.get("oneOf"):
        fitting = sum(_fits(value, option) for option in schema["oneOf"])
        if fitting != 1:
            found = "none valid" if not fitting else f"{fitting} valid alternatives"
            told = f'"{path}" must validate one and only one schema (oneOf). Found {found}'
            yield FieldError("Invalid value", "<nil>", '""', told)
            yield from validate(value, schema["oneOf"][0], path) if not fitting else ()
    if schema.get("not") and _fits(value, schema["not"]):
        yield FieldError("Invalid value", "<nil>", '""', f'"{path}" must not validate the schema (not)')


def _fits(value: Any, schema: Schema) -> bool:
    return next(validate(value, schema), None) is None


def _text(value: str, schema: Schema, path: str) -> Iterator[FieldError]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield FieldError("Too long", path, "", f"may not be more than {schema['maxLength']} bytes")
    if "minLength" in schema and len(value) < schema["minLength"]:
        yield invalid_value(
            path, value, f"{_in_body(path)} in body should be at least {schema['minLength']} chars long"
        )
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield invalid_value(path, value, f"{_in_body(path)} in body should match '{schema['pattern']}'")
    check = _FORMATS.get(schema.get("format") or "")
    if check is not None and not check(value):
        shown = f'"{value}"'
        yield invalid_type(path, shown, f"{_in_body(path)} in body must be of type {schema['format']}: {shown}")


def _format_of_number(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    bits = {"int32": 31, "int64": 63}.get(schema.get("format") or "")
    if bits is None or not isinstance(value, int | float) or isinstance(value, bool):
        return
    if value != int(value) or not -(2**bits) <= value < 2**bits:
        detail = f"Checked value must be of type integer with format {schema['format']} in {path}"
        yield FieldError("Invalid value", "<nil>", '""', detail)


def _number(value: float, schema: Schema, path: str) -> Iterator[FieldError]:
    yield from _format_of_number(value, schema, path)
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid_value(path, value, f"{_in_body(path)} in body should be {than} {high}")
    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid_value(path, value, f"{_in_body(path)} in body should be {than} {low}")
    if step and value % step:
        yield invalid_value(path, value, f"{_in_body(path)} in body should be a multiple of {step}")


def _items(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield FieldError("Too many", path, str(len(value)), f"must have at most {schema['maxItems']} items")
    if "minItems" in schema and len(value) < schema["minItems"]:
        yield invalid_value(
            path, len(value), f"{_in_body(path)} in body should have at least {schema['minItems']} items"
        )
    items: Schema = schema.get("items") or {}
    before = matched(old, schema)
    for index, item in enumerate(value):
        yield from validate(item, items, f"{path}[{index}]", before(item))
    yield from _duplicates(value, schema, path)


def matched(old: Any, schema: Schema) -> Callable[[Any], Any]:
    """How an item of a list finds itself in the old list: by its keys, if the list is a map; else not at all."""
    keys = list_keys(schema)
    if not keys or not isinstance(old, list):
        return lambda item: _NOTHING
    by_key = {identity(item, keys): item for item in old if isinstance(item, dict)}
    return lambda item: by_key.get(identity(item, keys), _NOTHING) if isinstance(item, dict) else _NOTHING


def list_keys(schema: Schema) -> list[str]:
    """The members that identify an item of a list that is a map; none for other lists."""
    return schema.get("x-kubernetes-list-map-keys") or [] if schema.get("x-kubernetes-list-type") == "map" else []


def identity(item: Mapping[str, Any], keys: list[str]) -> bytes:
    return encode([item.get(key) for key in keys])


def _duplicates(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    keys, is_set = list_keys(schema), schema.get("x-kubernetes-list-type") == "set"
    if not keys and not is_set:
        return
    seen: set[bytes] = set()
    one = keys[0] if len(keys) == 1 and schema.get("x-kubernetes-patch-merge-key") else None
    for index, item in enumerate(value):
        shown = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
        mark = encode(shown)
        if mark in seen and one is not None:
            yield FieldError("Duplicate value", f"{path}[{index}].{one}", encode(item[one]).decode())
        elif mark in seen:
            yield FieldError("Duplicate value", f"{path}[{index}]", mark.decode())
        seen.add(mark)


def _members(value: Mapping[str, Any], schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield FieldError("Too many", path, str(len(value)), f"must have at most {schema['maxProperties']} items")
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        least = schema["minProperties"]
        yield invalid_value(path, len(value), f"{_in_body(path)} in body should have at least {least} properties")
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


def _is(check: Callable[[str], Any], *problems: type[Exception]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            check(text)
        except problems:
            return False
        return True

    return test


_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "date-time": lambda text: parse_time(text) is not None,
    "date": lambda text: re.fullmatch(r"\d{4}-\d\d-\d\d", text) is not None,
    "byte": _is(lambda text: base64.b64decode(text, validate=True), binascii.Error),
    "ipv4": _is(ipaddress.IPv4Address, ValueError),
    "ipv6": _is(ipaddress.IPv6Address, ValueError),
    "cidr": _is(ipaddress.ip_network, ValueError),
    "uuid": _is(uuid.UUID, ValueError),
    "uri": lambda text: bool(urlsplit(text).scheme),
    "duration": lambda text: re.fullmatch(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w))+|0", text) is not None,
}
"""Formats that are checked; any other is taken as a remark, as an API server does."""
