"""Discovery: which groups, versions and resources there are, as kubectl and the clients ask for them."""

from typing import Any, Final

from sandbox.objects import Object
from sandbox.resources import STATUS_VERBS, VERBS, Registry, Resource

VERSION: Final[Object] = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0-stagegate-sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "stagegate/sandbox",
}


def answer(path: str, registry: Registry) -> Any:
    """The document at a discovery path; None if it is no such path."""
    parts = path.strip("/").split("/")
    if path == "/version":
        return VERSION
    if parts in (["api"], ["apis"]):
        return _root(parts[0], registry)
    groups = registry.groups()
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in groups and parts[1]:
        return {"kind": "APIGroup", "apiVersion": "v1"} | _group(parts[1], groups[parts[1]])
    group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("", "")
    if parts[0] == "apis" and len(parts) == 3:
        group, version = parts[1], parts[2]
    if version and version in groups.get(group, ()):
        return _resource_list(group, version, registry)
    return None


def _root(which: str, registry: Registry) -> Object:
    core = which == "api"
    wanted = [(g, versions) for g, versions in registry.groups().items() if bool(g) != core]
    if core:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(g, versions) for g, versions in wanted]}


def _group(group: str, versions: list[str]) -> Object:
    told = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": told, "preferredVersion": told[0]}


def _resource_list(group: str, version: str, registry: Registry) -> Object:
    resources: list[Object] = []
    for resource in registry.of_version(group, version):
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _verbs(resource),
        }
        names = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
        resources.append(entry | {name: listed for name, listed in names.items() if listed})
        if resource.status:
            resources.append(
                entry | {"name": f"{resource.plural}/status", "singularName": "", "verbs": list(STATUS_VERBS)}
            )
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def _verbs(resource: Resource) -> list[str]:
    return ["create"] if resource.create_only else list(VERBS)
