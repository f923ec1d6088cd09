"""The CEL rules of a schema (``x-kubernetes-validations``), evaluated for an object."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.expressions import (
    EvaluationFailed,
    Expression,
    cel_value,
    compiled,
)
from sandbox.failures import FieldError
from sandbox.objects import go_value, same
from sandbox.resources import Schema

_ABSENT: Final = object()
_DECLARED: Final = frozenset({"self", "oldSelf"})
_TYPES: Final = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def rule_of(source: str) -> Expression:
    """A rule or message expression, compiled. Raises CompilationFailed."""
    return compiled(source.strip(), _DECLARED)


def check_rules(value: Any, schema: Schema, old: Any = _ABSENT) -> Iterator[FieldError]:
    """What the rules of an object find; ``old`` is the object before an update."""
    seen = {k: v for k, v in value.items() if k != "metadata"}
    meta = {k: v for k, v in (value.get("metadata") or {}).items() if k in ("name", "generateName")}
    seen["metadata"] = meta
    root = {**schema, "properties": {**(schema.get("properties") or {}), **_ROOT}}
    before = old
    if isinstance(old, dict):
        before = {k: v for k, v in old.items() if k != "metadata"} | {"metadata": meta}
    yield from _walk(seen, root, "", before)


_ROOT: Final[dict[str, Schema]] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}


def _walk(value: Any, schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    if value is None:
        return
    for rule in schema.get("x-kubernetes-validations") or ():
        yield from _apply(rule, value, schema, path, old)
    if isinstance(value, dict):
        properties: Mapping[str, Schema] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        before = old if isinstance(old, dict) else {}
        for name, member in value.items():
            known = properties.get(name, others if isinstance(others, dict) else None)
            if known is not None:
                child = f"{path}.{name}" if path else name
                yield from _walk(member, known, child, before.get(name, _ABSENT))
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            yield from _walk(item, schema["items"], f"{path}[{index}]", _ABSENT)


def _apply(rule: Mapping[str, Any], value: Any, schema: Schema, path: str, old: Any) -> Iterator[FieldError]:
    expression = rule_of(rule["rule"])
    transition = "oldSelf" in expression.variables
    if transition and old is _ABSENT and not rule.get("optionalOldSelf"):
        return
    if not transition and old is not _ABSENT and same(value, old):
        return
    variables = {"self": cel_value(value, schema)}
    if transition:
        variables["oldSelf"] = cel_value(old, schema)
    where = _place(path, rule.get("fieldPath") or "", schema)
    shown = "" if isinstance(value, dict | list) else go_value(value)
    try:
        verdict = expression.evaluate(variables)
    except EvaluationFailed as problem:
        yield FieldError(
            "Invalid value",
            where.lstrip("."),
            shown,
            f"rule evaluation error: {problem}: evaluating rule: {rule['rule']}",
        )
        return
    if verdict is not True:
        type_ = _TYPES[rule.get("reason") or "FieldValueInvalid"]
        text = _message(rule, variables)
        yield FieldError(type_, where.lstrip("."), "" if type_ in ("Forbidden", "Required value") else shown, text)


def _place(path: str, field: str, schema: Schema) -> str:
    """Where a rule's finding is told; a key of a map stands in brackets."""
    if isinstance(schema.get("additionalProperties"), dict) and field.startswith("."):
        return f"{path}.[{field[1:]}]"
    return f"{path}{field}"


def _message(rule: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    fallback = str(rule.get("message") or f"failed rule: {rule['rule'].strip()}")
    if not rule.get("messageExpression"):
        return fallback
    try:
        text = rule_of(rule["messageExpression"]).evaluate(variables)
    except EvaluationFailed:
        return fallback
    return text.strip() if isinstance(text, str) and text.strip() and "\n" not in text else fallback
