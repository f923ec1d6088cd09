"""URL paths: which resource, object and verb a request names."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from sandbox.failures import ApiError, bad_request, not_found, not_implemented
from sandbox.resources import Registry, Resource

VERBS: Final = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_KNOWN_ELSEWHERE: Final = frozenset(
    {"log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "ephemeralcontainers", "resize", "scale"}
    | {"token", "finalize"}
)
"""Subresources that a real API server has somewhere and the sandbox has nowhere."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the API."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


class NoRoute(Exception):
    """The path leads nowhere."""


def parse(path: str, registry: Registry) -> Route:
    """The route of a path under ``/api`` or ``/apis``. Raises NoRoute, and ApiError for what the sandbox leaves out."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise NoRoute
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and not (len(rest) == 3 and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
    elif rest[0] == "namespaces" and group:
        raise NoRoute
    resource = registry.get(group, version, rest[0])
    if resource is None or (namespace and not resource.namespaced) or len(rest) > 3 or not all(rest):
        raise NoRoute
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if resource.namespaced and name and not namespace:
        raise NoRoute
    if subresource and not (subresource == "status" and resource.status):
        if subresource in _KNOWN_ELSEWHERE and not resource.custom:
            raise not_implemented(f"the subresource {resource.plural}/{subresource}")
        if resource.custom:
            raise not_found(resource.plural, resource.group, name)
        raise NoRoute
    return Route(resource, namespace, name, subresource)


def verb_of(method: str, route: Route, *, watch: bool) -> str:
    """The verb of a method on a route. Raises ApiError 405."""
    verb = VERBS.get(method, "")
    if not route.name:
        verb = {"get": "watch" if watch else "list", "create": "create"}.get(verb, "")
        if verb == "create" and route.resource.namespaced and not route.namespace:
            if route.resource.custom:
                raise NoRoute
            verb = ""
        if method == "PUT" and route.resource.custom:
            raise bad_request("name must be provided")
    elif verb == "create" or (verb == "delete" and route.subresource):
        verb = ""
    if route.resource.create_only and verb != "create":
        verb = ""
    if not verb:
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})
    return verb
