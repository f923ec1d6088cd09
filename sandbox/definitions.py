"""A CustomResourceDefinition: whether it can be served, and the resource it defines."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.builtins import OBJECT_META
from sandbox.expressions import CompilationFailed
from sandbox.failures import FieldError, forbidden_field, invalid_value, required
from sandbox.objects import Object, name_of
from sandbox.resources import AGE, Column, Resource, Schema
from sandbox.schema.rules import rule_of
from sandbox.schema.validation import KEYWORDS

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""


def complete(definition: Object) -> Object:
    """The definition with the names that a server fills in."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    kind = str(names.get("kind") or "")
    names = {
        **names,
        "singular": names.get("singular") or kind.lower(),
        "listKind": names.get("listKind") or f"{kind}List",
    }
    return {**definition, "spec": {**spec, "names": names}}


def accepted(definition: Object, now: str) -> Object:
    """The status of a definition that is served."""
    names = definition["spec"]["names"]
    stored = [version["name"] for version in definition["spec"].get("versions") or () if version.get("storage")]

    def condition(type_: str, reason: str, message: str) -> Object:
        return {"type": type_, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}

    return {
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": names,
        "storedVersions": stored,
    }


def findings(definition: Object) -> Iterator[FieldError]:
    """What keeps a definition from being served, the sandbox's own limits among it."""
    spec = definition["spec"]
    wanted = f"{(spec.get('names') or {}).get('plural')}.{spec.get('group')}"
    if name_of(definition) != wanted:
        yield invalid_value("metadata.name", name_of(definition), 'must be spec.names.plural+"."+spec.group')
    if (spec.get("conversion") or {}).get("strategy", "None") != "None":
        yield forbidden_field("spec.conversion.strategy", "the sandbox converts nothing; use None")
    versions = spec.get("versions") or []
    if len(versions) != 1:
        yield forbidden_field("spec.versions", "the sandbox serves definitions of one version")
        return
    if "scale" in (versions[0].get("subresources") or {}):
        yield forbidden_field("spec.versions[0].subresources.scale", "the sandbox has no scale subresource")
    schema = (versions[0].get("schema") or {}).get("openAPIV3Schema")
    if isinstance(schema, dict):
        yield from _structure(schema, "spec.validation.openAPIV3Schema")
    else:
        yield required("spec.versions[0].schema.openAPIV3Schema", "schemas are required")


def _structure(schema: Schema, path: str) -> Iterator[FieldError]:
    for name in schema.keys() - KEYWORDS:
        yield forbidden_field(f"{path}.{name}", "the sandbox does not know this part of a schema")
    yield from _rules(schema, path)
    for name, member in (schema.get("properties") or {}).items():
        yield from _structure(member, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _structure(schema[name], f"{path}.{name}")


def _rules(schema: Schema, path: str) -> Iterator[FieldError]:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        for member in ("rule", "messageExpression"):
            if not rule.get(member):
                continue
            try:
                rule_of(rule[member])
            except CompilationFailed as problem:
                where = f"{path}.x-kubernetes-validations[{index}].{member}"
                yield invalid_value(where, rule[member], f"compilation failed: {problem}")


def resource_of(definition: Object) -> Resource | None:
    """The resource that a definition without findings defines; None if it serves no version."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if version.get("served"):
            return Resource(
                group=spec["group"],
                version=version["name"],
                kind=names["kind"],
                plural=names["plural"],
                singular=names["singular"],
                list_kind=names["listKind"],
                schema=_full_schema(version["schema"]["openAPIV3Schema"]),
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                columns=_columns(version.get("additionalPrinterColumns")),
                status="status" in (version.get("subresources") or {}),
                custom=True,
                generation=True,
                unconditional=False,
            )
    return None


def _full_schema(schema: Schema) -> Schema:
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **(schema.get("properties") or {})}
    return {**schema, "properties": {**properties, "metadata": OBJECT_META}}


def _columns(stated: list[Mapping[str, Any]] | None) -> tuple[Column, ...]:
    if not stated:
        return (AGE,)
    return tuple(
        Column(
            column["name"],
            column["type"],
            column["jsonPath"],
            column.get("priority") or 0,
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            column.get("format") or "",
        )
        for column in stated
    )
