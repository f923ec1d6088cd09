"""HTTP requests to an API server, through the connection pool of the official client."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3.exceptions
from urllib3 import HTTPHeaderDict
from urllib3.util import Timeout

from webhook.cluster.credentials import CredentialsFailed, Identity
from webhook.cluster.errors import Call, NoCredentials, OutcomeUnknown, Unreachable, error_from
from webhook.cluster.pool import BEFORE_SENDING, DEADLINE, Deadline

_CONNECT_SECONDS: Final = 5.0
_MAX_LINE: Final = 16 * 1024 * 1024
"""A longer watch event is an error: an API server refuses objects of more than 3 MiB."""
_MAX_RESPONSE: Final = 64 * 1024 * 1024
"""A longer response is an error: a page of 500 objects with 100 KB each is shorter."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``timeout`` is in seconds, for the whole request or for each read of a stream.

    ``before_sending`` is called when the connection is open, since the process may have been stopped meanwhile and lost
    its lease. It may raise or end the process.
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
    """An open watch: one JSON object per line."""

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """End the stream, from any thread."""
        ...


class Transport(Protocol):
    def send(self, request: Request) -> Any:
        """The JSON of the response. Raises ApiError."""
        ...

    def stream(self, request: Request) -> Stream:
        """Open a stream of lines. Raises ApiError, also while it is read."""
        ...


class Credentials(Protocol):
    """The identity for requests; see ``webhook.cluster.credentials``."""

    def current(self) -> Identity: ...
    def refuse(self, identity: Identity) -> None: ...


class KubernetesTransport:
    """Sends requests through the connection pool of a ``kubernetes.client.ApiClient``.

    The client's own methods are not used: they inspect every value of a body and parse the URL each time, which doubles
    the cost of a request. ``headers`` are sent with each request; ``proxy`` names the proxy in errors.
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
        self._target = f"{host} ({proxy})" if proxy else host
        self._pool = api_client.rest_client.pool_manager.connection_from_url(host)
        # A proxy for plain HTTP needs the whole URL; otherwise the path is enough.
        through_proxy = self._pool.proxy is not None and self._pool.scheme == "http"
        self._prefix = (host if through_proxy else urlsplit(host).path).rstrip("/")

    def send(self, request: Request) -> Any:
        return _checked(request.call, *self._open(request, Timeout(total=request.timeout), whole=True))

    def stream(self, request: Request) -> Stream:
        response, _ = self._open(request, Timeout(connect=_CONNECT_SECONDS, read=request.timeout), whole=False)
        if response.status != 200:
            try:
                _checked(request.call, response, response.read())
            except urllib3.exceptions.HTTPError as problem:
                raise OutcomeUnknown(request.call, _cause(problem)) from problem
        return _Lines(request.call, response)

    def _open(self, request: Request, timeout: Timeout, *, whole: bool) -> tuple[Any, bytes]:
        """The response, and its body if ``whole``."""
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
        limited = DEADLINE.set(Deadline(time.monotonic() + request.timeout, whole))
        content = b""
        try:
            response = self._pool.urlopen(
                request.method,
                f"{path}?{urlencode(request.query)}" if request.query else path,
                body=body,
                headers=headers,
                # No retries: fence and precondition are valid for one attempt only.
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
            )
            if whole:
                content = response.read(_MAX_RESPONSE + 1)
                if len(content) > _MAX_RESPONSE:
                    response.close()
                    raise OutcomeUnknown(request.call, f"a response of more than {_MAX_RESPONSE} bytes")
                response.release_conn()
        except urllib3.exceptions.HTTPError as problem:
            if is_sent:
                raise OutcomeUnknown(request.call, f"no response from {self._target}: {_cause(problem)}") from problem
            raise Unreachable(request.call, f"no connection to {self._target}: {_cause(problem)}") from problem
        finally:
            BEFORE_SENDING.reset(asked)
            DEADLINE.reset(limited)
        if response.status == 401:
            self._credentials.refuse(identity)
        return response, content


class _Lines:
    """The parsed lines of a chunked response."""

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
                    raise OutcomeUnknown(self._call, f"a line of more than {_MAX_LINE} bytes")
            if rest.strip():
                yield self._parsed(rest)
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise OutcomeUnknown(self._call, _cause(problem)) from problem
        finally:
            self._response.close()

    def close(self) -> None:
        # A blocked read in another thread ends only if the socket is shut down.
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
        return _json(self._call, line, "a line")


def _checked(call: Call, response: Any, body: bytes) -> Any:
    if not 200 <= response.status <= 299:
        raise error_from(call, response.status, response.headers, body)
    return _json(call, body, "a response") if body else {}


def _json(call: Call, text: bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise OutcomeUnknown(call, f"{what} that is not JSON: {text[:80]!r}") from problem


def _cause(problem: Exception) -> str:
    """The cause below the layers of the pool, on one line."""
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
