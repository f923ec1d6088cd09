"""Bytes over HTTPS to an API server, on the connection pool and credentials of the official client."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import urllib3.exceptions

from webhook.cluster.errors import ApiError, Call, OutcomeUnknown, Unreachable, error_from

_CONNECT_SECONDS: Final = 5.0
_MAX_LINE: Final = 16 * 1024 * 1024
"""A watch event above this many bytes is a fault: an API server refuses objects of more than 3 MiB."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``timeout`` is in seconds: of the whole request, or of each read of a stream."""

    call: Call
    method: str
    path: str
    query: Mapping[str, str]
    timeout: float
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"


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
    """Carries requests with ``kubernetes.client.ApiClient``: its TLS, its tokens and their renewal, its pool."""

    def __init__(self, api_client: Any) -> None:
        self._api_client = api_client

    def send(self, request: Request) -> Any:
        try:
            response = self._open(request, request.timeout)
            body = response.read()
        except urllib3.exceptions.HTTPError as problem:
            raise _no_answer(request.call, problem) from problem
        return _checked(request.call, response, body)

    def stream(self, request: Request) -> Stream:
        try:
            response = self._open(request, (_CONNECT_SECONDS, request.timeout))
            if response.status != 200:
                _checked(request.call, response, response.read())
        except urllib3.exceptions.HTTPError as problem:
            raise _no_answer(request.call, problem) from problem
        return _Lines(request.call, response.response)

    def _open(self, request: Request, timeout: Any) -> Any:
        from kubernetes.client.exceptions import ApiException

        headers = {"Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        method, url, headers, body, _ = self._api_client.param_serialize(
            request.method,
            request.path,
            query_params=list(request.query.items()),
            header_params=headers,
            body=request.body,
            auth_settings=["BearerToken"],
        )
        try:
            return self._api_client.call_api(method, url, headers, body, _request_timeout=timeout)
        except ApiException as problem:  # the client's word for a failed TLS handshake
            raise Unreachable(request.call, " ".join(str(problem.reason).split())) from problem


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
