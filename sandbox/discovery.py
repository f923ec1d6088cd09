"""Discovery: which groups, versions and resources there are, and as much of OpenAPI as kubectl needs for a write."""

from typing import Final

from sandbox.objects import Object
from sandbox.resources import Registry, Resource

VERSION: Final[Object] = {
    **dict.fromkeys(("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"), ""),
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0-stagegate-sandbox",
}
_VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")


def document(path: str, registry: Registry) -> Object | None:
    """The document at a discovery path; None if it is no such path."""
    groups = registry.groups()
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            listed = [_group(group, versions) for group, versions in groups.items() if group]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", group] if group in groups:
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(group, groups[group])
        case ["api", version] if version in groups.get("", ()):
            return _resources("", version, registry)
        case ["apis", group, version] if version in groups.get(group, ()):
            return _resources(group, version, registry)
        case ["openapi", "v3"]:
            paths = [_root(group, version) for group, versions in groups.items() for version in versions]
            return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in paths}}
        case ["openapi", "v3", "api", version]:
            return _openapi("", version, registry)
        case ["openapi", "v3", "apis", group, version]:
            return _openapi(group, version, registry)
    return None


def _root(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _group(group: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _resources(group: str, version: str, registry: Registry) -> Object:
    listed: list[Object] = []
    for resource in registry.of_version(group, version):
        entry = {"name": resource.plural, "singularName": resource.kind.lower(), "namespaced": resource.namespaced}
        entry |= {"kind": resource.kind}
        listed.append({**entry, "verbs": list(_VERBS), "shortNames": list(resource.short_names)})
        if resource.status:
            listed.append({**entry, "name": f"{resource.plural}/status", "verbs": ["get", "patch", "update"]})
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": listed}


def _openapi(group: str, version: str, registry: Registry) -> Object:
    """Paths alone: kubectl looks there whether the server checks fields by itself."""
    paths = {f"/{_root(group, version)}/{one.plural}": _patch(one) for one in registry.of_version(group, version)}
    return {"openapi": "3.0.0", "info": {"title": "Stagegate sandbox", "version": "v1"}, "paths": paths}


def _patch(resource: Resource) -> Object:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    parameters = [{"name": name, "in": "query"} for name in ("dryRun", "fieldManager", "fieldValidation", "force")]
    return {
        "patch": {"x-kubernetes-group-version-kind": kind, "x-kubernetes-action": "patch", "parameters": parameters}
    }
