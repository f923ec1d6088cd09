"""An applied configuration against the schema, as server-side apply insists on before it merges."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.objects import encode
from sandbox.ownership.paths import element_of, is_granular, shown
from sandbox.resources import Schema

_SCALARS: Final = {"string": "string", "integer": "numeric (int or float)", "number": "numeric (int or float)"}


def type_problems(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """What makes the configuration unusable: undeclared fields, wrong types, items without or with the same keys."""
    if value is None:
        return
    wanted = schema.get("type")
    if wanted == "object":
        yield from _object_problems(value, schema, path)
    elif wanted == "array":
        yield from _list_problems(value, schema, path)
    elif wanted in _SCALARS or wanted == "boolean":
        fits = {"string": str, "boolean": bool}.get(wanted, int | float)
        if not isinstance(value, fits) or (isinstance(value, bool) and wanted != "boolean"):
            yield _expected(path, _SCALARS.get(str(wanted), str(wanted)), value)


def _object_problems(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _expected(path, "map", value)
        return
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    free = schema.get("x-kubernetes-preserve-unknown-fields") or not (properties or others)
    for name, member in value.items():
        if name in properties:
            yield from type_problems(member, properties[name], f"{path}.{name}")
        elif isinstance(others, dict):
            yield from type_problems(member, others, f"{path}.{name}")
        elif not free and not schema.get("x-kubernetes-embedded-resource"):
            yield f"{path}.{name}: field not declared in schema"


def _list_problems(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _expected(path, "list", value)
        return
    items: Schema = schema.get("items") or {}
    seen: set[str] = set()
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if is_granular(value, schema):
            element = element_of(item, schema)
            where = f"{path}{shown((element,))}"
            if element == "k:{}":
                keys = encode(schema["x-kubernetes-list-map-keys"]).decode().replace(",", " ")
                yield (
                    f"{path}: element {index}: associative list with keys has an element that omits all key fields "
                    f"{keys} (and doesn't have default values for any key fields)"
                )
                continue
            if element in seen:
                yield f"{path}: duplicate entries for key {shown((element,))}"
                continue
            seen.add(element)
        yield from type_problems(item, items, where)


def _expected(path: str, wanted: str, value: Any) -> str:
    return f"{path}: expected {wanted}, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"


def _go_syntax(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}{...}"
    if isinstance(value, list):
        return "[]interface {}{...}"
    return encode(value).decode()
