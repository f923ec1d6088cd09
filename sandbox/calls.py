"""One request to the API: what is asked of which object, by whom and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from sandbox.failures import ApiError, invalid, not_implemented, unsupported
from sandbox.identity import User
from sandbox.objects import Key, Object
from sandbox.resources import Registry, Resource

_VERBS: Final = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_LONGEST_MANAGER: Final = 128


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request after TLS and parsing. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    user: User


@dataclass(slots=True)
class Call:
    """A request whose path is understood. ``warnings`` is what its answer will carry in headers."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str
    user: User
    user_agent: str = "sandbox"
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.namespace, self.name

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    @property
    def media(self) -> str:
        """The media type of the body without its parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def manager(self) -> str:
        """The field manager of the query, else the first word of the user agent."""
        return self.query.get("fieldManager") or self.user_agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true", "t")

    def options(self, kind: str) -> Object:
        """The options of a write, as an AdmissionReview carries them. Raises ApiError 422."""
        for name, known in (("dryRun", ("", "All")), ("fieldValidation", ("", "Ignore", "Strict", "Warn"))):
            if self.query.get(name, "") not in known:
                raise invalid(kind, "meta.k8s.io", "", [unsupported(name, self.query[name], known)])
        options: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
        options |= {name: self.query[name] for name in ("fieldManager", "fieldValidation") if self.query.get(name)}
        return options | {"dryRun": ["All"]} if self.dry_run else options


class NoRoute(Exception):
    """The path leads nowhere."""


def call_of(request: Request, registry: Registry) -> Call:
    """The call that a request under ``/api`` or ``/apis`` makes. Raises NoRoute and ApiError."""
    parts = [unquote(part) for part in request.path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise NoRoute
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    resource = registry.get(group, version, rest[0])
    name, subresource, *more = (*rest[1:], "", "")
    if resource is None or any(more) or (namespace and not resource.namespaced):
        raise NoRoute
    if name and resource.namespaced and not namespace:
        raise NoRoute
    if subresource and not (subresource == "status" and resource.status):
        raise not_implemented(f"the subresource {resource.plural}/{subresource}")
    return Call(
        verb=_verb(request, resource, namespace, name, subresource),
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=subresource,
        user=request.user,
        user_agent=request.headers.get("user-agent", ""),
        query=request.query,
        body=request.body,
        content_type=request.headers.get("content-type", ""),
    )


def _verb(request: Request, resource: Resource, namespace: str, name: str, subresource: str) -> str:
    verb = _VERBS.get(request.method, "")
    if not name:
        watch = request.query.get("watch", "").lower() in ("1", "true")
        verb = {"get": "watch" if watch else "list", "create": "create"}.get(verb, "")
        allowed = verb != "create" or bool(namespace) or not resource.namespaced
    else:
        allowed = verb != "create" and not (verb == "delete" and subresource)
    if not verb or not allowed:
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    return verb
