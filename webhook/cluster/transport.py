"""Bytes over HTTPS to an API server, on the connection pool and credentials of the official client."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3.exceptions
from urllib3.util import Timeout

from webhook.cluster.errors import ApiError, Call, OutcomeUnknown, Unreachable, error_from

_CONNECT_SECONDS: Final = 5.0
_MAX_LINE: Final = 16 * 1024 * 1024
"""A watch event above this many bytes is a fault: an API server refuses objects of more than 3 MiB."""


def _nothing() -> None:
    return None


_BEFORE_SENDING: Final[ContextVar[Callable[[], None]]] = ContextVar("before sending", default=_nothing)


def before_sending() -> None:
    """To be called by a connection that is open and about to send: what the request of this thread asked for."""
    _BEFORE_SENDING.get()()


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``timeout`` is in seconds: of the whole request, or of each read of a stream.

    ``before_sending`` is called once more when the connection is open: to open one takes long enough for a process to
    be stopped meanwhile, and to wake when another leads. It may end the process or raise.
    """

    call: Call
    method: str
    path: str
    query: Mapping[str, str]
    timeout: float
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    before_sending: Callable[[], None] = _nothing


class Stream(Protocol):
    """An open watch: one JSON object a line."""

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """End it, from any thread."""
        ...


class Transport(Protocol):
    def send(self, request: Request) -> Any:
        """The answer's JSON. Raises ApiError."""
        ...

    def stream(self, request: Request) -> Stream:
        """Open a stream of lines. Raises ApiError, now or while it is read."""
        ...


class KubernetesTransport:
    """Carries requests with what a ``kubernetes.client.ApiClient`` holds: TLS, tokens and their renewal, its pool.

    Only its own way to send is left out: it looks at every value of every body, and at the URL anew each time, which
    costs as much as the rest of a request.
    """

    def __init__(self, api_client: Any) -> None:
        self._api_client = api_client
        host = str(api_client.configuration.host)
        self._pool = api_client.rest_client.pool_manager.connection_from_url(host)
        # A proxy for plain HTTP has to be told the whole URL; else the pool knows all but the path.
        through_proxy = self._pool.proxy is not None and self._pool.scheme == "http"
        self._prefix = (host if through_proxy else urlsplit(host).path).rstrip("/")

    def send(self, request: Request) -> Any:
        response = self._open(request, Timeout(total=request.timeout), whole=True)
        return _checked(request.call, response, response.data)

    def stream(self, request: Request) -> Stream:
        response = self._open(request, Timeout(connect=_CONNECT_SECONDS, read=request.timeout), whole=False)
        if response.status != 200:
            try:
                _checked(request.call, response, response.read())
            except urllib3.exceptions.HTTPError as problem:
                raise _no_answer(request.call, problem) from problem
        return _Lines(request.call, response)

    def _open(self, request: Request, timeout: Timeout, *, whole: bool) -> Any:
        """The answer, read to its end if ``whole``."""
        headers = {**self._api_client.default_headers, "Accept": "application/json"}
        body = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            body = json.dumps(request.body, separators=(",", ":")).encode()
        query: list[tuple[str, str]] = list(request.query.items())
        self._api_client.update_params_for_auth(headers, query, ["BearerToken"], request.path, request.method, body)
        path = f"{self._prefix}{request.path}"
        asked = _BEFORE_SENDING.set(request.before_sending)
        try:
            return self._pool.urlopen(
                request.method,
                f"{path}?{urlencode(query)}" if query else path,
                body=body,
                headers=headers,
                # Each request is sent once: a fence and a precondition hold for one attempt, not for a silent second.
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=whole,
            )
        except urllib3.exceptions.HTTPError as problem:
            raise _no_answer(request.call, problem) from problem
        finally:
            _BEFORE_SENDING.reset(asked)


class _Lines:
    """The lines of a chunked answer, parsed."""

    def __init__(self, call: Call, response: Any) -> None:
        self._call = call
        self._response = response

    def __iter__(self) -> Iterator[Any]:
        rest = b""
        try:
            for chunk in self._chunks():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield self._parsed(line)
                if len(rest) > _MAX_LINE:
                    raise ApiError(self._call, f"a line of more than {_MAX_LINE} bytes")
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise _no_answer(self._call, problem) from problem
        finally:
            self._response.close()

    def close(self) -> None:
        # Only a shutdown of the socket wakes a thread that reads from it.
        try:
            self._response.shutdown()
        except (AttributeError, OSError, ValueError, RuntimeError):
            self._response.close()

    def _chunks(self) -> Iterator[bytes]:
        if self._response.chunked:
            yield from self._response.read_chunked()
            return
        while chunk := self._response.read1(65536):
            yield chunk

    def _parsed(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except ValueError as problem:
            raise ApiError(self._call, f"a line that is not JSON: {line[:80]!r}") from problem


def _checked(call: Call, response: Any, body: bytes) -> Any:
    if not 200 <= response.status <= 299:
        raise error_from(call, response.status, response.headers, body)
    try:
        return json.loads(body) if body else {}
    except ValueError as problem:
        raise ApiError(call, f"an answer that is not JSON: {body[:80]!r}", status=response.status) from problem


def _no_answer(call: Call, problem: Exception) -> ApiError:
    cause = problem.reason if isinstance(problem, urllib3.exceptions.MaxRetryError) else problem
    text = " ".join(str(cause).split()) or type(cause).__name__
    never_sent = urllib3.exceptions.ConnectTimeoutError | urllib3.exceptions.NewConnectionError
    if isinstance(cause, never_sent | urllib3.exceptions.ProxyError | urllib3.exceptions.SSLError):
        return Unreachable(call, text)
    return OutcomeUnknown(call, text)
