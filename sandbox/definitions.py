"""A CustomResourceDefinition: whether it can be served, and the resource it defines."""

from collections.abc import Iterator
from typing import Final

from sandbox.builtins import OBJECT_META
from sandbox.failures import FieldError, forbidden_field, invalid_value, required
from sandbox.objects import Object, name_of
from sandbox.resources import AGE, Column, Resource, Schema
from sandbox.schema import KEYWORDS
from sandbox.store import Place

DEFINITIONS: Final[Place] = ("apiextensions.k8s.io", "customresourcedefinitions")


def served(definition: Object, now: str) -> Object:
    """The definition with the status that says that it is served."""
    established = {"type": "Established", "status": "True", "lastTransitionTime": now, "reason": "InitialNamesAccepted"}
    return {**definition, "status": definition.get("status") or {"conditions": [established]}}


def place_of(definition: Object) -> Place:
    """Where the objects of a definition are stored."""
    return definition["spec"]["group"], definition["spec"]["names"]["plural"]


def definition_errors(definition: Object) -> Iterator[FieldError]:
    """What keeps a definition from being served, the sandbox's own limits among it."""
    spec = definition["spec"]
    if name_of(definition) != f"{(spec.get('names') or {}).get('plural')}.{spec.get('group')}":
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
        yield from _structure(schema, "spec.versions[0].schema.openAPIV3Schema")
    else:
        yield required("spec.versions[0].schema.openAPIV3Schema", "schemas are required")


def _structure(schema: Schema, path: str) -> Iterator[FieldError]:
    for name in sorted(schema.keys() - KEYWORDS):
        yield forbidden_field(f"{path}.{name}", "the sandbox does not support this part of a schema")
    for name, member in (schema.get("properties") or {}).items():
        yield from _structure(member, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _structure(schema[name], f"{path}.{name}")


def resource_of(definition: Object) -> Resource:
    """The resource that a definition without errors defines."""
    spec = definition["spec"]
    (version,) = spec["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **(schema.get("properties") or {})}
    columns = [
        Column(column["name"], column["type"], column["jsonPath"], column.get("priority") or 0)
        for column in version.get("additionalPrinterColumns") or ()
    ]
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=spec["names"]["kind"],
        plural=spec["names"]["plural"],
        schema={**schema, "properties": {**properties, "metadata": OBJECT_META}},
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(spec["names"].get("shortNames") or ()),
        columns=tuple(columns) or (AGE,),
        status="status" in (version.get("subresources") or {}),
        custom=True,
    )
