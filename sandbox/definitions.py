"""A CustomResourceDefinition: whether it can be served, and the resource it defines."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sandbox.builtins import OBJECT_META
from sandbox.expressions import CompilationFailed
from sandbox.failures import FieldError, forbidden_field, invalid_value, required, unsupported
from sandbox.objects import Object, name_of
from sandbox.resources import Column, Resource, Schema
from sandbox.schema.rules import REASONS, check_fields, rule_of

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_KNOWN: Final = frozenset(
    {"additionalProperties", "allOf", "anyOf", "default", "description", "enum", "example", "exclusiveMaximum"}
    | {"exclusiveMinimum", "externalDocs", "format", "items", "maxItems", "maxLength", "maxProperties", "maximum"}
    | {"minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "nullable", "oneOf", "pattern"}
    | {"properties", "required", "title", "type", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"}
    | {"x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"}
    | {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"}
)
_AGE: Final = Column("Age", "date", ".metadata.creationTimestamp")


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
    names: Mapping[str, Any] = spec.get("names") or {}
    for member in ("plural", "kind"):
        if not names.get(member):
            yield required(f"spec.names.{member}")
    if not spec.get("group"):
        yield required("spec.group")
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    if name_of(definition) != wanted:
        yield invalid_value("metadata.name", name_of(definition), 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        yield unsupported("spec.scope", spec.get("scope") or "", ("Cluster", "Namespaced"))
    if (spec.get("conversion") or {}).get("strategy", "None") != "None":
        yield forbidden_field(
            "spec.conversion.strategy", "the sandbox converts nothing; use None and one served version"
        )
    yield from _versions(spec.get("versions") or [])


def _versions(versions: list[Any]) -> Iterator[FieldError]:
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value("spec.versions", versions, "must have exactly one version marked as storage version")
    if sum(bool(version.get("served")) for version in versions) > 1:
        yield forbidden_field("spec.versions", "the sandbox serves one version of a definition")
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}]"
        # What all versions share is told as if it stood above them, as a real API server keeps it there.
        path = "spec.validation.openAPIV3Schema" if len(versions) == 1 else f"{where}.schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not isinstance(schema, dict):
            yield required(f"{where}.schema.openAPIV3Schema", "schemas are required")
            continue
        if "scale" in (version.get("subresources") or {}):
            yield forbidden_field(f"{where}.subresources.scale", "the sandbox has no scale subresource")
        if not schema.get("type"):
            yield required(f"{path}.type", "must not be empty at the root")
        elif schema["type"] != "object":
            yield invalid_value(f"{path}.type", schema["type"], "must be object at the root")
        yield from _structure(schema, path, root=True)


def _structure(schema: Schema, path: str, *, combined: bool = False, root: bool = False) -> Iterator[FieldError]:
    for name in schema.keys() - _KNOWN:
        yield forbidden_field(f"{path}.{name}", "the sandbox does not know this part of a schema")
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not combined and not root and not schema.get("type") and not free:
        yield required(f"{path}.type", "must not be empty for specified object fields")
    if schema.get("type") and schema["type"] not in _TYPES:
        yield unsupported(f"{path}.type", schema["type"], _TYPES)
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict) and not combined:
        yield required(f"{path}.items", "must be specified")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden_field(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    yield from _list_type(schema, path)
    yield from _rules(schema, path, root=root)
    for name, member in (schema.get("properties") or {}).items():
        yield from _structure(member, f"{path}.properties[{name}]", combined=combined)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _structure(schema[name], f"{path}.{name}", combined=combined)
    for name in ("allOf", "anyOf", "oneOf"):
        for index, option in enumerate(schema.get(name) or ()):
            yield from _structure(option, f"{path}.{name}[{index}]", combined=True)
    if isinstance(schema.get("not"), dict):
        yield from _structure(schema["not"], f"{path}.not", combined=True)


def _list_type(schema: Schema, path: str) -> Iterator[FieldError]:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or []
    if kind not in (None, "atomic", "set", "map"):
        yield unsupported(f"{path}.x-kubernetes-list-type", kind, ("atomic", "map", "set"))
    if kind is not None and schema.get("type") != "array":
        yield invalid_value(
            f"{path}.type", schema.get("type") or "", "must be array if x-kubernetes-list-type is specified"
        )
    if kind == "map" and not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    items = schema.get("items") or {}
    for key in keys:
        member = (items.get("properties") or {}).get(key)
        if member is None:
            where = f"{path}.x-kubernetes-list-map-keys"
            yield invalid_value(where, keys, "entries must all be names of item properties")
        elif key not in (items.get("required") or []) and "default" not in member:
            where = f"{path}.items.properties[{key}].default"
            yield required(
                where,
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            )


def _rules(schema: Schema, path: str, *, root: bool) -> Iterator[FieldError]:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{path}.x-kubernetes-validations[{index}]"
        if not str(rule.get("rule") or "").strip():
            yield required(f"{where}.rule", "rule is not specified")
        if rule.get("reason") not in (None, *REASONS):
            yield unsupported(f"{where}.reason", rule["reason"], REASONS)
        for member in ("rule", "messageExpression"):
            source = str(rule.get(member) or "").strip()
            try:
                if source:
                    rule_of(source)
                    check_fields(source, schema, root=root)
            except CompilationFailed as problem:
                yield invalid_value(f"{where}.{member}", _internal(rule), f"compilation failed: {problem}")


def _internal(rule: Mapping[str, Any]) -> Object:
    """A rule as a real API server shows it: by the names of its own fields."""
    texts = {name: rule.get(name[0].lower() + name[1:]) or "" for name in ("Rule", "Message", "MessageExpression")}
    rest = {"Reason": rule.get("reason"), "FieldPath": rule.get("fieldPath") or ""}
    return {**texts, **rest, "OptionalOldSelf": rule.get("optionalOldSelf")}


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
        return (_AGE,)
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
