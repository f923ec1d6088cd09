"""A client of the API that hides nothing: status, body and warnings of each answer."""

import contextlib
import http
import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

from tests.controlplane.certificates import Pair
from tests.controlplane.response import Response

_IDLE_SECONDS: Final = 30.0


class Session:
    """One user's connection, kept open; not for two threads at once."""

    def __init__(self, url: str, authority: bytes, pair: Pair, folder: Path) -> None:
        self._host = url.removeprefix("https://")
        self._context = ssl.create_default_context(cadata=authority.decode())
        bundle = folder / "session.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(pair.certificate + pair.key)
        self._context.load_cert_chain(bundle)
        bundle.unlink()
        self._connection: http.client.HTTPSConnection | None = None
        self._used = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, accept: str = "application/json") -> Response:
        return self._send("GET", path, None, {"Accept": accept})

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a collection, on a connection of its own: each object that is there, then what happens to it.

        Ends when the server does. What is not served yet, because it was just registered, is waited for.
        """
        connection = http.client.HTTPSConnection(self._host, context=self._context)
        with contextlib.closing(connection), contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while (response := _watched(connection, path)) is None:
                time.sleep(0.1)
            for line in response:
                yield json.loads(line)

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> Response:
        return self._send("POST", _with(path, query), body, {"Content-Type": "application/json"})

    def update(self, path: str, body: Mapping[str, Any], **query: str) -> Response:
        return self._send("PUT", _with(path, query), body, {"Content-Type": "application/json"})

    def patch(self, path: str, body: Any, kind: str = "merge-patch+json", **query: str) -> Response:
        return self._send("PATCH", _with(path, query), body, {"Content-Type": f"application/{kind}"})

    def apply(self, path: str, body: Mapping[str, Any], manager: str, **query: str) -> Response:
        """Server-side apply."""
        return self.patch(path, body, "apply-patch+yaml", fieldManager=manager, **query)

    def delete(self, path: str) -> Response:
        return self._send("DELETE", path, None, {})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Response:
        payload = None if body is None else json.dumps(body)
        # An API server lets a connection go that was idle for 90 seconds.
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()
        self._used = time.monotonic()
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=90)
        try:
            self._connection.request(method, path, payload, dict(headers))
            answered = self._connection.getresponse()
        except BaseException:
            self.close()
            raise
        with contextlib.closing(answered) as response:
            warnings = response.headers.get_all("Warning", [])
            return Response.of(response.status, response.headers.get_content_type(), response.read(), warnings)


def _with(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _watched(connection: http.client.HTTPSConnection, path: str) -> http.client.HTTPResponse | None:
    connection.request("GET", _with(path, {"watch": "true"}))
    response = connection.getresponse()
    if response.status == http.HTTPStatus.OK:
        return response
    response.read()
    return None
