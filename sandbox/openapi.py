"""OpenAPI v3: an index, and a document for every version of every group, as kubectl needs them."""

import hashlib
import threading
from typing import Any, Final

from sandbox.objects import Object, encode
from sandbox.resources import Registry, Resource, Schema

_DROPPED: Final = frozenset({"x-stagegate-struct"})
_WRITE: Final = ("dryRun", "fieldManager", "fieldValidation")


class Documents:
    """The documents of what is served now; made when they are asked for, kept until the resources change."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._generation = -1
        self._documents: dict[str, Object] = {}
        self._index: Object = {}

    def get(self, path: str) -> Any:
        """The index at ``/openapi/v3`` or a document below it; None if there is none."""
        with self._lock:
            if self._generation != self._registry.generation:
                self._generation = self._registry.generation
                self._documents = self._built()
                addresses = {n: {"serverRelativeURL": _address(n, d)} for n, d in self._documents.items()}
                self._index = {"paths": addresses}
            documents, index = self._documents, self._index
        if path == "/openapi/v3":
            return index
        return documents.get(path.removeprefix("/openapi/v3/"))

    def _built(self) -> dict[str, Object]:
        documents = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                documents[name] = _document(self._registry.of_version(group, version))
        return documents


def _address(name: str, document: Object) -> str:
    digest = hashlib.sha256(encode(document)).hexdigest().upper()
    return f"/openapi/v3/{name}?hash={digest}"


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
    return {**_published(resource.schema), "x-kubernetes-group-version-kind": [_gvk(resource)]}


def _published(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _published(member) for name, member in schema.items() if name not in _DROPPED}
    if isinstance(schema, list):
        return [_published(member) for member in schema]
    return schema


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
