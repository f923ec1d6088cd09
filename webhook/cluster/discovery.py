"""Discovery: the resources that a cluster serves."""

from collections.abc import Iterable
from typing import Any

from webhook.cluster.client import Client
from webhook.cluster.errors import NotFound
from webhook.cluster.resource import Resource


def served(client: Client, resources: Iterable[Resource]) -> set[Resource]:
    """The given resources that the server serves; one request for each group and version. Raises ApiError."""
    found: set[Resource] = set()
    by_path: dict[str, list[Resource]] = {}
    for resource in resources:
        by_path.setdefault(resource.group_path, []).append(resource)
    for path, members in by_path.items():
        try:
            document = client.get_path(path)
        except NotFound:
            continue
        found.update(resource for resource in members if resource.plural in plurals_of(document))
    return found


def plurals_of(document: dict[str, Any]) -> set[str]:
    """The names in an APIResourceList, without subresources."""
    entries = document.get("resources") or []
    return {name for entry in entries if isinstance(name := entry.get("name"), str) and "/" not in name}
