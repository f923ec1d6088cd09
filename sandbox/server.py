"""The API behind the HTTP front: from a request to a response, or to a stream of events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sandbox import discovery, reading
from sandbox.admission import Admission
from sandbox.bodies import APPLY_PATCH
from sandbox.builtins import builtin_resources
from sandbox.calls import Call, NoRoute, Request, call_of
from sandbox.definitions import DEFINITIONS, place_of, resource_of
from sandbox.deleting import Deleter
from sandbox.failures import ApiError, not_implemented
from sandbox.identity import ANONYMOUS, MASTERS, authenticated
from sandbox.objects import Object, encode, metadata, name_of, namespace_of
from sandbox.reading import WatchStream
from sandbox.requestlog import RequestLog, RequestRecord
from sandbox.resources import Registry
from sandbox.store import DELETED, Change, Store
from sandbox.tables import ACCEPT, table, table_events
from sandbox.writing import Writer

_INSTALLER: Final = authenticated("system:apiserver", (MASTERS,))
_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_OPEN: Final = (*_HEALTH, "/version")
"""Paths that need no token."""


@dataclass(slots=True)
class Response:
    """Status, and either one value, a text, or a stream of values, one a line (None: a moment of silence)."""

    code: int
    value: Any = None
    text: str | None = None
    stream: Iterator[Any] | None = None
    warnings: list[str] = field(default_factory=list)


class ApiServer:
    """Everything of a sandbox but its sockets."""

    def __init__(self, clock: Callable[[], datetime], history: int, bookmark_seconds: float, log: RequestLog) -> None:
        self.store = Store(history, self._react)
        self._registry = Registry(builtin_resources())
        self._admission = Admission(self.store)
        self._deleter = Deleter(self.store, clock)
        self._writer = Writer(self.store, self._admission, self._deleter, clock)
        self._clock = clock
        self._bookmark_seconds = bookmark_seconds
        self._log = log

    def stop(self) -> None:
        """End all watches and calls."""
        self.store.end_watches()
        self._admission.calls.close()

    def install(self, value: Object) -> None:
        """Create an object without HTTP. Raises ApiError."""
        resource = self._registry.of_kind(value["apiVersion"], value["kind"])
        if resource is None:
            raise ApiError(404, "NotFound", f"no resource is served for {value['apiVersion']} {value['kind']}")
        call = Call(
            "create",
            resource,
            namespace=namespace_of(value),
            name=name_of(value),
            subresource="",
            user=_INSTALLER,
            body=encode(value),
        )
        self._writer.create(call)

    def handle(self, request: Request) -> Response:
        """Answer a request; never raises ApiError."""
        call: Call | None = None
        try:
            response = self._plain(request)
            if response is None:
                call = call_of(request, self._registry)
                response = self._carry_out(call, request.headers.get("accept", ""))
        except NoRoute:
            response = Response(404, text="404 page not found\n")
        except ApiError as problem:
            response = Response(problem.code, problem.to_dict())
        response.warnings = list(dict.fromkeys(call.warnings)) if call is not None else []
        self._log.add(_record(request, call, response.code))
        return response

    def _plain(self, request: Request) -> Response | None:
        path = request.path.rstrip("/")
        if request.user == ANONYMOUS and path not in _OPEN:
            why = f'User "{ANONYMOUS.name}" cannot {request.method.lower()} path "{request.path}"'
            raise ApiError(403, "Forbidden", f"forbidden: {why}: send a token, as the kubeconfig does")
        if any(header.startswith("impersonate-") for header in request.headers):
            raise not_implemented("impersonation; use a kubeconfig of that user")
        if request.method != "GET":
            return None
        if path in _HEALTH:
            return Response(200, text="ok")
        found = discovery.document(path, self._registry)
        return Response(200, found) if found is not None else None

    def _carry_out(self, call: Call, accept: str) -> Response:
        as_table = ACCEPT.search(accept.replace(" ", "")) is not None
        resource = call.resource
        match call.verb:
            case "watch":
                events = iter(WatchStream(self.store, call, self._bookmark_seconds))
                if as_table:
                    events = table_events(resource, events, self._clock())
                return Response(200, stream=_lines(events))
            case "list":
                values, version = reading.list_objects(self.store, call)
                if as_table:
                    return Response(200, table(resource, values, version, self._clock()))
                head = {"kind": resource.list_kind, "apiVersion": resource.api_version}
                return Response(200, {**head, "metadata": {"resourceVersion": version}, "items": values})
            case "get":
                value = reading.get(self.store, call)
                if as_table:
                    return Response(200, table(resource, [value], metadata(value)["resourceVersion"], self._clock()))
                return Response(200, value)
            case "create":
                return Response(201, self._writer.create(call))
            case "update":
                return Response(200, self._writer.update(call))
            case "patch":
                value, created = self._writer.patch(call)
                return Response(201 if created else 200, value)
        return Response(200, self._deleter.delete(call))

    def _react(self, change: Change) -> None:
        """Serve what a new definition defines, and no more what a deleted one defined."""
        if change.place != DEFINITIONS:
            return
        if change.type == DELETED:
            self._registry.remove(place_of(change.object))
            self.store.end_watches(place_of(change.object))
        else:
            self._registry.add(resource_of(change.object))


def _lines(events: Iterator[reading.WatchEvent | None]) -> Iterator[Object | None]:
    for event in events:
        yield None if event is None else {"type": event[0], "object": event[1]}


def _record(request: Request, call: Call | None, code: int) -> RequestRecord:
    if call is None:
        return RequestRecord(verb=request.method.lower(), user=request.user.name, code=code)
    verb = "apply" if call.verb == "patch" and call.media == APPLY_PATCH else call.verb
    return RequestRecord(
        verb=verb,
        resource=call.resource.plural,
        subresource=call.subresource,
        namespace=call.namespace,
        name=call.name,
        user=request.user.name,
        code=code,
    )
