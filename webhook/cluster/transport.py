"""Bytes over HTTPS to an API server, on the connection pool and credentials of the official client."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.util import Timeout

from webhook.cluster.credentials import CredentialsFailed, Identity
from webhook.cluster.errors import ApiError, Call, NoCredentials, OutcomeUnknown, Unreachable, error_from
from webhook.cluster.pool import BEFORE_SENDING

_CONNECT_SECONDS: Final = 5.0
_MAX_LINE: Final = 16 * 1024 * 1024
"""A watch event above this many bytes is a fault: an API server refuses objects of more than 3 MiB."""


def _nothing() -> None:
    return None


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


class Credentials(Protocol):
    """Whose requests these are; see ``webhook.cluster.credentials``."""

    def current(self) -> Identity: ...
    def refuse(self, identity: Identity) -> None: ...


class KubernetesTransport:
    """Sends requests through the connection pool of a ``kubernetes.client.ApiClient``.

    Only its own way to send is left out: it looks at every value of every body, and at the URL anew each time, which
    costs as much as the rest of a request. ``headers`` go with each request; ``proxy`` names the proxy in errors.
    """

    def __init__(
        self, api_client: Any, credentials: Credentials, headers: Sequence[tuple[str, str]] = (), proxy: str = ""
    ) -> None:
        self._credentials = credentials
        self._headers = HTTPHeaderDict(api_client.default_headers)
        for name, value in headers:
            self._headers.add(name, value)
        self._headers["Accept"] = "application/json"
        host = str(api_client.configuration.host)
        self._way = f"{host} ({proxy})" if proxy else host
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
                raise OutcomeUnknown(request.call, _cause(problem)) from problem
        return _Lines(request.call, response)

    def _open(self, request: Request, timeout: Timeout, *, whole: bool) -> Any:
        """The answer, read to its end if ``whole``."""
        try:
            identity = self._credentials.current()
        except CredentialsFailed as problem:
            raise NoCredentials(request.call, str(problem)) from problem
        headers = self._headers.copy()
        if identity.authorization:
            headers["Authorization"] = identity.authorization
        body = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            body = json.dumps(request.body, separators=(",", ":")).encode()
        path = f"{self._prefix}{request.path}"
        is_sent = False

        def sending() -> None:
            nonlocal is_sent
            request.before_sending()
            is_sent = True

        asked = BEFORE_SENDING.set(sending)
        try:
            response = self._pool.urlopen(
                request.method,
                f"{path}?{urlencode(request.query)}" if request.query else path,
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
            if is_sent:
                raise OutcomeUnknown(request.call, _cause(problem)) from problem
            raise Unreachable(request.call, f"no connection to {self._way}: {_cause(problem)}") from problem
        finally:
            BEFORE_SENDING.reset(asked)
        if response.status == 401:
            self._credentials.refuse(identity)
        return response


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
            raise OutcomeUnknown(self._call, _cause(problem)) from problem
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


def _cause(problem: Exception) -> str:
    """What lies under the layers of the pool, on one line."""
    cause: object = problem
    if isinstance(cause, urllib3.exceptions.MaxRetryError):
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.ProxyError):
        cause = cause.original_error
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        cause = cause.__cause__ or cause
    elif isinstance(cause, urllib3.exceptions.ProtocolError) and cause.args and isinstance(cause.args[-1], OSError):
        cause = cause.args[-1]
    return " ".join(str(cause).split()) or type(cause).__name__
