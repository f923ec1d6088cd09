"""From the bytes of a request to an object that the schema knows."""

from typing import Any, Final

from sandbox.failures import (
    BLOCKING,
    UNCHECKED,
    FieldError,
    bad_request,
    invalid,
    invalid_value,
    unsupported_media,
)
from sandbox.kinds import completed_kind
from sandbox.objects import Object, Undecodable, decode, json_name, metadata, name_of
from sandbox.resources import Resource
from sandbox.schema.pruning import fill_defaults, prune
from sandbox.schema.rules import check_rules
from sandbox.schema.validation import validate

JSON: Final = "application/json"


def parse(body: bytes, content_type: str) -> Any:
    """The value of a JSON body. Raises ApiError."""
    media = content_type.partition(";")[0].strip().lower() or JSON
    if media != JSON:
        raise unsupported_media((JSON,))
    try:
        return decode(body)
    except Undecodable as problem:
        raise bad_request(f"the object provided is unrecognized: json parse error: {problem}") from None


def typed(value: Any, resource: Resource) -> Object:
    """The value as an object of this resource. Raises ApiError 400 or 422 if it is of another kind."""
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized: json: cannot unmarshal {json_name(value)}")
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if not resource.custom:
        kind, api_version = kind or resource.kind, api_version or resource.api_version
    if not kind:
        raise bad_request("the object provided is unrecognized: Object 'Kind' is missing")
    if api_version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({api_version or ''}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        problem = invalid_value("kind", kind, f"must be {resource.kind}")
        raise invalid(str(kind), resource.group, name_of(value), [problem])
    return {**value, "kind": kind, "apiVersion": api_version}


def clean(value: Object, resource: Resource, field_validation: str, warnings: list[str]) -> Object:
    """A copy without unknown fields and with defaults. Raises ApiError 400 for wrong metadata and in strict mode."""
    pruned, unknown = prune(value, resource.schema)
    told = [f'unknown field "{path}"' for path in sorted(unknown)]
    if told and field_validation == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(told)}"
        )
    if field_validation != "Ignore":
        warnings.extend(told)
    return completed(pruned, resource)


def completed(value: Object, resource: Resource) -> Object:
    """What a webhook answered, pruned and defaulted like any other object. Raises ApiError."""
    pruned, _ = prune(value, resource.schema)
    fill_defaults(pruned, resource.schema)
    check_types(pruned, resource)
    return completed_kind(_tidied(pruned), resource)


def _tidied(value: Object) -> Object:
    """Without the empty lists and maps of metadata, which Go leaves out."""
    meta = {name: m for name, m in metadata(value).items() if m not in ({}, []) or name == "managedFields"}
    return {**value, "metadata": meta}


def check_types(value: Object, resource: Resource) -> None:
    """Refuse metadata of wrong types; no other rule could make sense of it. Raises ApiError."""
    for problem in validate(metadata(value), resource.schema["properties"]["metadata"], "metadata"):
        if "must be of type" in problem.detail:
            raise bad_request(
                f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f"{problem.field}: {problem.body}"
            )


def check_schema(value: Object, resource: Resource, old: Object | None, *, blocked: bool) -> list[FieldError]:
    """What the schema and its rules say; ``old`` is the object before an update.

    Errors that would make rules meaningless, found here or elsewhere (``blocked``), keep them from being asked.
    """
    schema = {**resource.schema, "properties": {**resource.schema["properties"], "metadata": {}}}
    found = list(validate(value, schema)) if old is None else list(validate(value, schema, "", old))
    if not resource.custom:
        return found
    if blocked or any(error.type in BLOCKING for error in found):
        return [*found, UNCHECKED]
    rules = check_rules(value, resource.schema) if old is None else check_rules(value, resource.schema, old)
    return [*found, *rules]
