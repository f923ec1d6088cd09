"""The API behind the HTTP front: from a request to an answer, or to a stream of events."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox import discovery, openapi, reading
from sandbox.admission.chain import Chain
from sandbox.admission.transport import Transport
from sandbox.builtins import builtin_resources
from sandbox.calls import Call
from sandbox.changes import APPLY_PATCH
from sandbox.collector import Collector
from sandbox.deleting import Deleter
from sandbox.failures import ApiError, bad_request, forbidden
from sandbox.identity import ANONYMOUS, MASTERS, User, authenticated
from sandbox.objects import Object, encode, name_of, namespace_of
from sandbox.registration import Registration
from sandbox.requestlog import RequestLog, RequestRecord
from sandbox.resources import Registry
from sandbox.routes import NoRoute, Route, parse, verb_of
from sandbox.shapes import Shape, shape_of
from sandbox.store import Store
from sandbox.writing import Writer

_OPEN: Final = frozenset({"/healthz", "/livez", "/readyz", "/version"})
"""Paths that need no token."""


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
class Answer:
    """Status, and either one value or a stream of values, one a line (None: a moment of silence)."""

    code: int
    value: Any = None
    text: str | None = None
    stream: Iterator[Any] | None = None
    warnings: list[str] = field(default_factory=list)


class ApiServer:
    """Everything of a sandbox but its sockets."""

    def __init__(self, clock: Callable[[], datetime], history: int, bookmark_seconds: float, log: RequestLog) -> None:
        self.store = Store(history)
        self.registry = Registry(builtin_resources())
        self.transport = Transport()
        chain = Chain(self.store, self.transport)
        self._writer = Writer(self.store, chain, clock)
        self._deleter = Deleter(self.store, chain, clock)
        self._clock = clock
        self._bookmark_seconds = bookmark_seconds
        self._log = log
        self.store.on_change(Registration(self.store, self.registry).react)
        self._collector = Collector(self.store, self.registry, self._writer, self._deleter)
        self.store.on_change(self._collector.react)
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin collecting what nobody owns any more."""
        self._collector.start()

    def stop(self) -> None:
        """End all watches and background work."""
        self._stopped.set()
        self._collector.stop()
        self.store.end_watches()
        self.transport.close()

    def install(self, value: Object, user: User) -> Object:
        """Create an object as if this user had, without HTTP. Raises ApiError."""
        resource = self.registry.of_kind(str(value.get("apiVersion")), str(value.get("kind")))
        if resource is None:
            raise ApiError(404, "NotFound", f"no resource is served for {value.get('apiVersion')} {value.get('kind')}")
        return self._writer.create(
            Call(
                verb="create",
                resource=resource,
                subresource="",
                namespace=namespace_of(value),
                name=name_of(value),
                user=user,
                user_agent="sandbox",
                query={},
                body=encode(value),
            )
        )

    def handle(self, request: Request) -> Answer:
        """Answer a request; never raises."""
        record = {
            "verb": request.method.lower(),
            "group": "",
            "version": "",
            "resource": "",
            "subresource": "",
            "namespace": "",
            "name": "",
        }
        user = request.user
        warnings: list[str] = []
        try:
            user = _acting(request)
            answer = self._plain(request, user) or self._api(request, user, record, warnings)
        except NoRoute:
            answer = Answer(404, text="404 page not found\n")
        except ApiError as problem:
            answer = Answer(problem.code, problem.to_dict())
        answer.warnings = list(dict.fromkeys(warnings))
        self._log.add(
            RequestRecord(
                **record,
                user=user.name,
                user_agent=request.headers.get("user-agent", ""),
                code=answer.code,
                dry_run=request.query.get("dryRun") == "All",
            )
        )
        return answer

    def _plain(self, request: Request, user: User) -> Answer | None:
        path = request.path.rstrip("/") or "/"
        if user == ANONYMOUS and path not in _OPEN:
            why = f'User "{user.name}" cannot {request.method.lower()} path "{request.path}"'
            raise ApiError(403, "Forbidden", f"forbidden: {why}: send a token, as the kubeconfig does", {})
        if request.method != "GET":
            return None
        if path in ("/healthz", "/livez", "/readyz"):
            return Answer(200, text="ok")
        if path == "/metrics":
            return Answer(200, text=self._log.exposition())
        if path.startswith("/openapi/"):
            document = openapi.document(path, self.registry)
            if document is None:
                raise NoRoute
            return Answer(200, document)
        found = discovery.answer(path, self.registry)
        return Answer(200, found) if found is not None else None

    def _api(self, request: Request, user: User, record: dict[str, str], warnings: list[str]) -> Answer:
        route = parse(request.path, self.registry)
        watch = request.query.get("watch", "").lower() in ("1", "true")
        verb = verb_of(request.method, route, watch=watch)
        content_type = request.headers.get("content-type", "")
        applies = verb == "patch" and content_type.startswith(APPLY_PATCH)
        resource = route.resource
        record |= {
            "verb": "apply" if applies else verb,
            "group": resource.group,
            "version": resource.version,
            "resource": resource.plural,
            "subresource": route.subresource,
            "namespace": route.namespace,
            "name": route.name,
        }
        call = Call(
            verb=verb,
            resource=resource,
            subresource=route.subresource,
            namespace=route.namespace,
            name=route.name,
            user=user,
            user_agent=request.headers.get("user-agent", ""),
            query=request.query,
            body=request.body,
            content_type=content_type,
            warnings=warnings,
        )
        shape = shape_of(request.headers.get("accept", ""), request.query, resource, self._clock)
        return self._carry_out(call, shape, route)

    def _carry_out(self, call: Call, shape: Shape, route: Route) -> Answer:
        if call.resource.create_only:
            return Answer(201, _review(call))
        if call.verb == "watch":
            stream = reading.WatchStream(self.store, call, self._bookmark_seconds)
            return Answer(200, stream=shape.events(iter(stream)))
        if call.verb == "list":
            return Answer(200, shape.many(*reading.list_objects(self.store, call)))
        if call.verb == "get":
            return Answer(200, shape.one(reading.get(self.store, call)))
        if call.verb == "create":
            return Answer(201, shape.one(self._writer.create(call)))
        if call.verb == "update":
            return Answer(200, shape.one(self._writer.update(call)))
        if call.verb == "patch":
            value, created = self._writer.patch(call)
            return Answer(201 if created else 200, shape.one(value))
        value, is_object = self._deleter.delete(call)
        return Answer(200, shape.one(value) if is_object else value)


def _review(call: Call) -> Object:
    return {
        "kind": call.resource.kind,
        "apiVersion": call.resource.api_version,
        "metadata": {"creationTimestamp": None},
        "status": {"userInfo": call.user.to_dict()},
    }


def _acting(request: Request) -> User:
    """The user of the token, or whom they impersonate. Raises ApiError 403 where they may not."""
    name = request.headers.get("impersonate-user", "")
    groups = request.headers.get("impersonate-group", "")
    if not name and not groups:
        return request.user
    if any(header.startswith(("impersonate-extra-", "impersonate-uid")) for header in request.headers):
        raise ApiError(501, "NotImplemented", "the sandbox does not do this: impersonation of a uid or of extra fields")
    if not name:
        told = " ".join(f'"{group}"' for group in filter(None, groups.split("\n")))
        raise bad_request(
            f'requested &user.DefaultInfo{{Name:"", UID:"", Groups:[]string{{{told}}}, Extra:map[string][]string(nil)}}'
            " without impersonating a user name"
        )
    if MASTERS not in request.user.groups:
        why = f'User "{request.user.name}" cannot impersonate resource "users" in API group "" at the cluster scope'
        raise forbidden("users", "", name, why)
    return authenticated(name, filter(None, (group.strip() for group in groups.split("\n"))))
