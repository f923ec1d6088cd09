"""OpenAPI v3: an index, and a document for every version of every group, as kubectl needs them."""

from typing import Final

from sandbox.objects import Object
from sandbox.resources import Registry, Resource, Schema

_WRITE: Final = ("dryRun", "fieldManager", "fieldValidation")


def document(path: str, registry: Registry) -> Object | None:
    """The index at ``/openapi/v3``, or a document below it; None if there is none."""
    versions = {
        f"apis/{group}/{version}" if group else f"api/{version}": (group, version)
        for group, served in registry.groups().items()
        for version in served
    }
    if path == "/openapi/v3":
        hashed = f"hash={registry.generation}"
        return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?{hashed}"} for name in versions}}
    found = versions.get(path.removeprefix("/openapi/v3/"))
    return _document(registry.of_version(*found)) if found is not None else None


def _document(resources: list[Resource]) -> Object:
    schemas: Object = {}
    paths: Object = {}
    for resource in resources:
        schemas[_schema_name(resource)] = _with_kind(resource)
        paths |= _paths(resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Stagegate sandbox", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema_name(resource: Resource) -> str:
    group = resource.group or "core"
    return f"{'.'.join(reversed(group.split('.')))}.{resource.version}.{resource.kind}"


def _gvk(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _with_kind(resource: Resource) -> Schema:
    return {**resource.schema, "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _paths(resource: Resource) -> Object:
    prefix = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    base = (
        f"{prefix}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else f"{prefix}/{resource.plural}"
    )
    body = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_schema_name(resource)}"}}}}

    def operation(action: str, *parameters: str) -> Object:
        named = [{"name": p, "in": "query", "schema": {"type": "string"}} for p in parameters]
        return {
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _gvk(resource),
            "parameters": named,
            "responses": {"200": {"description": "OK", **body}},
        }

    one = {
        "get": operation("get"),
        "put": operation("put", *_WRITE),
        "patch": operation("patch", *_WRITE, "force"),
        "delete": operation("delete", "dryRun"),
    }
    many = {"get": operation("list", "limit", "watch"), "post": operation("post", *_WRITE)}
    return {base: many, f"{base}/{{name}}": one}
