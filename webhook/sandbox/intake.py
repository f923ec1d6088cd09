"""From the bytes of a request to an object that the schema knows."""

from collections.abc import Sequence
from typing import Any, Final

from webhook.sandbox.failures import FieldError, bad_request, unsupported_media
from webhook.sandbox.objects import Object, Undecodable, decode
from webhook.sandbox.resources import Resource
from webhook.sandbox.schema.pruning import fill_defaults, prune
from webhook.sandbox.schema.rules import check_rules
from webhook.sandbox.schema.validation import validate

JSON: Final = "application/json"
YAML: Final = "application/yaml"

_GO_TYPES: Final = {
    "string": "string",
    "integer": "int64",
    "boolean": "bool",
    "number": "float64",
    "array": "[]interface {}",
    "object": "map[string]interface {}",
}


def parse(body: bytes, content_type: str, duplicates: list[str]) -> Any:
    """The value of a body of JSON or YAML. Raises ApiError."""
    media = content_type.partition(";")[0].strip().lower() or JSON
    if media not in (JSON, YAML):
        raise unsupported_media((JSON, YAML))
    try:
        return decode(body, duplicates, as_yaml=media == YAML)
    except Undecodable as problem:
        raise bad_request(f"couldn't get version/kind; json parse error: {problem}") from None


def typed(value: Any, resource: Resource) -> Object:
    """The value as an object of this resource. Raises ApiError 400 if it is of another kind."""
    if not isinstance(value, dict):
        raise bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{_json_name(value)} into Go value of type struct {{ APIVersion string; Kind string }}"
        )
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if not kind or not api_version:
        missing = "Object 'Kind' is missing" if not kind else "Object 'apiVersion' is missing"
        if resource.custom or kind or api_version:
            raise bad_request(f"{missing} in the request body of {resource.plural}")
        return {**value, "kind": resource.kind, "apiVersion": resource.api_version}
    if (kind, api_version) != (resource.kind, resource.api_version):
        raise bad_request(
            f'{kind} in version "{str(api_version).rpartition("/")[2]}" cannot be handled as a {resource.kind}: '
            f'no kind "{kind}" is registered for version "{api_version}"'
        )
    return value


def clean(
    value: Object, resource: Resource, duplicates: Sequence[str], field_validation: str, warnings: list[str]
) -> Object:
    """A copy without unknown fields and with defaults. Raises ApiError 400 for wrong metadata and in strict mode."""
    pruned, unknown = prune(value, resource.schema)
    told = [f'unknown field "{path}"' for path in unknown] + [f'duplicate field "{path}"' for path in duplicates]
    if told and field_validation == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(told)}"
        )
    if field_validation != "Ignore":
        warnings.extend(told)
    fill_defaults(pruned, resource.schema)
    check_types(pruned, resource)
    return pruned


def completed(value: Object, resource: Resource) -> Object:
    """What a webhook answered, pruned and defaulted like any other object. Raises ApiError."""
    pruned, _ = prune(value, resource.schema)
    fill_defaults(pruned, resource.schema)
    check_types(pruned, resource)
    return pruned


def check_types(value: Object, resource: Resource) -> None:
    """Refuse what Go could not decode: wrong types in metadata, and for built-in kinds anywhere. Raises ApiError."""
    properties = resource.schema["properties"]
    schema = {"properties": {"metadata": properties["metadata"]}} if resource.custom else resource.schema
    for problem in validate(value, schema):
        if "must be of type" in problem.detail:
            wanted = problem.detail.split("must be of type ")[1].partition(":")[0]
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: json: cannot '
                f"unmarshal {problem.value.strip(chr(34))} into Go struct field {resource.kind}.{problem.field} "
                f"of type {_GO_TYPES.get(wanted, wanted)}"
            )


def check_schema(value: Object, resource: Resource, old: Object | None) -> list[FieldError]:
    """What the schema and, where it finds nothing, its rules say; ``old`` is the object before an update."""
    schema = {**resource.schema, "properties": {**resource.schema["properties"], "metadata": {}}}
    if old is None:
        return list(validate(value, schema)) or list(check_rules(value, resource.schema))
    return list(validate(value, schema, "", old)) or list(check_rules(value, resource.schema, old))


def _json_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return {list: "array", str: "string", int: "number", float: "number"}.get(type(value), "null")
