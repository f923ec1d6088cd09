"""From the bytes of a request to an object that the schema knows."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox.failures import (
    BLOCKING,
    UNCHECKED,
    ApiError,
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
YAML: Final = "application/yaml"


def parse(body: bytes, content_type: str, duplicates: list[str], kind: str) -> Any:
    """The value of a body of JSON or YAML, which should be of this kind. Raises ApiError."""
    media = content_type.partition(";")[0].strip().lower() or JSON
    if media not in (JSON, YAML):
        raise unsupported_media((JSON, YAML))
    try:
        return decode(body, duplicates, as_yaml=media == YAML)
    except Undecodable as problem:
        raise _unrecognized(body, kind, f"couldn't get version/kind; json parse error: {problem}") from None


def _unrecognized(body: bytes, kind: str, why: str) -> ApiError:
    shown = "<empty>"
    if body:
        readable = body.startswith(b"{")
        shown = body[:30].decode(errors="replace") if readable else body[:30].hex()
        shown += " ..." if len(body) > 30 else ""
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({shown})")


def typed(value: Any, resource: Resource, body: bytes) -> Object:
    """The value as an object of this resource. Raises ApiError 400 or 422 if it is of another kind."""
    if value is not None and not isinstance(value, dict):
        why = (
            "couldn't get version/kind; json parse error: json: cannot unmarshal "
            f"{json_name(value)} into Go value of type "
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
        raise _unrecognized(body, resource.kind, why)
    kind, api_version = (value or {}).get("kind"), (value or {}).get("apiVersion")
    if not resource.custom:
        kind, api_version = kind or resource.kind, api_version or resource.api_version
    if value is None or not kind:
        told = body.decode(errors="replace")
        raise _unrecognized(body, resource.kind, f"Object 'Kind' is missing in '{told}'")
    if api_version != resource.api_version and not resource.custom:
        raise bad_request(
            f'{kind} in version "{str(api_version).rpartition("/")[2]}" cannot be handled as a {resource.kind}: '
            f'no kind "{kind}" is registered for version "{api_version}" in the sandbox'
        )
    if api_version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({api_version or ''}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        if not resource.custom:
            raise bad_request(
                f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: converting '
                f"({resource.version}.{kind}) to (core.{resource.kind}): unknown conversion"
            )
        problem = invalid_value("kind", kind, f"must be {resource.kind}")
        raise invalid(str(kind), resource.group, name_of(value), [problem])
    return {**value, "kind": kind, "apiVersion": api_version}


def strict_problems(unknown: Sequence[str], duplicates: Sequence[str]) -> list[str]:
    """What strict decoding finds, duplicates first."""
    return [f'duplicate field "{path}"' for path in duplicates] + [
        f'unknown field "{path}"' for path in sorted(unknown)
    ]


def clean(
    value: Object, resource: Resource, duplicates: Sequence[str], field_validation: str, warnings: list[str]
) -> Object:
    """A copy without unknown fields and with defaults. Raises ApiError 400 for wrong metadata and in strict mode."""
    pruned, unknown = prune(value, resource.schema)
    told = strict_problems(unknown, duplicates)
    if told and field_validation == "Strict":
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {', '.join(told)}"
        )
    if field_validation != "Ignore":
        warnings.extend(told)
    fill_defaults(pruned, resource.schema)
    check_types(pruned, resource)
    return completed_kind(_tidied(pruned), resource)


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
