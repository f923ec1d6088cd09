"""HTTPS calls to webhooks: verified by their bundle, bounded in time and size, over kept connections."""

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.objects import encode

_LARGEST_ANSWER: Final = 8 * 1024 * 1024
_KEPT: Final = 16
"""Idle connections kept for each webhook."""


class CallFailed(Exception):
    """The webhook gave no usable answer; the text is that of a real API server as far as it can be."""


@dataclass(frozen=True, slots=True)
class _Target:
    address: tuple[str, int]
    server_name: str
    path: str
    bundle: str
    shown: str


class _Connection(http.client.HTTPSConnection):
    """A connection whose certificate is checked for a name that need not be the host connected to."""

    def __init__(self, target: _Target, timeout: float) -> None:
        context = ssl.create_default_context(cadata=base64.b64decode(target.bundle).decode() if target.bundle else None)
        super().__init__(*target.address, timeout=timeout, context=context)
        self._server_name = target.server_name
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self._server_name)
        except BaseException:
            plain.close()
            raise


class Transport:
    """Finds webhooks by URL, or by service where an address was given for it; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[_Target, list[_Connection]] = {}
        self._services: dict[tuple[str, str], tuple[str, int]] = {}

    def map_service(self, namespace: str, name: str, host: str, port: int) -> None:
        """Send calls for a service to this address, as there is no cluster network."""
        self._services[(namespace, name)] = (host, port)

    def call(self, client: Mapping[str, Any], review: Mapping[str, Any], timeout: int) -> Any:
        """Post a review; returns the decoded answer. Raises CallFailed."""
        target = self._target(client, timeout)
        deadline = time.monotonic() + timeout
        body = encode(review)
        try:
            for fresh in (False, True):
                connection = self._take(target, timeout, fresh=fresh)
                if connection is None:
                    continue
                try:
                    return self._post(connection, target, body, deadline)
                except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                    if fresh:
                        raise
        except TimeoutError:
            problem = "context deadline exceeded"
        except ConnectionRefusedError:
            host, port = target.address
            problem = f"dial tcp {host}:{port}: connect: connection refused"
        except ssl.SSLCertVerificationError as failure:
            problem = f"tls: failed to verify certificate: x509: {failure.verify_message}"
        except (OSError, http.client.HTTPException) as failure:
            problem = str(failure) or "EOF"
        raise CallFailed(f'failed to call webhook: Post "{target.shown}": {problem}')

    def close(self) -> None:
        """Close every kept connection."""
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def _target(self, client: Mapping[str, Any], timeout: int) -> _Target:
        bundle = str(client.get("caBundle") or "")
        if client.get("url"):
            parts = urlsplit(client["url"])
            address = (parts.hostname or "", parts.port or 443)
            path = f"{parts.path or '/'}?timeout={timeout}s"
            return _Target(
                address=address, server_name=address[0], path=path, bundle=bundle, shown=f"https://{parts.netloc}{path}"
            )
        service = client["service"]
        namespace, name, port = service["namespace"], service["name"], service.get("port") or 443
        if (namespace, name) not in self._services:
            raise CallFailed(
                f'failed to call webhook: service "{name}" in namespace "{namespace}": the sandbox has no cluster '
                "network; give clientConfig.url instead, or map the service to an address"
            )
        path = f"/{str(service.get('path') or '').lstrip('/')}?timeout={timeout}s"
        server_name = f"{name}.{namespace}.svc"
        return _Target(
            address=self._services[(namespace, name)],
            server_name=server_name,
            path=path,
            bundle=bundle,
            shown=f"https://{server_name}:{port}{path}",
        )

    def _take(self, target: _Target, timeout: float, *, fresh: bool) -> _Connection | None:
        if not fresh:
            with self._lock:
                kept = self._idle.get(target)
                return kept.pop() if kept else None
        try:
            return _Connection(target, timeout)
        except (ssl.SSLError, ValueError):
            raise CallFailed(
                "failed to call webhook: unable to load root certificates: unable to parse bytes as PEM block"
            ) from None

    def _post(self, connection: _Connection, target: _Target, body: bytes, deadline: float) -> Any:
        done = False
        try:
            remaining = max(deadline - time.monotonic(), 0.001)
            connection.timeout = remaining
            if connection.sock is not None:
                connection.sock.settimeout(remaining)
            connection.request(
                "POST",
                target.path,
                body,
                {
                    "Content-Type": "application/json",
                    "Accept": "application/json, */*",
                    "User-Agent": "stagegate-sandbox",
                },
            )
            if connection.sock is not None:
                connection.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            response = connection.getresponse()
            content = response.read(_LARGEST_ANSWER + 1)
            done = len(content) <= _LARGEST_ANSWER and not response.will_close
        finally:
            if done:
                self._keep(target, connection)
            else:
                connection.close()
        return _answer(response.status, content, target)

    def _keep(self, target: _Target, connection: _Connection) -> None:
        with self._lock:
            kept = self._idle.setdefault(target, [])
            if len(kept) < _KEPT:
                kept.append(connection)
                return
        connection.close()


def _answer(status: int, content: bytes, target: _Target) -> Any:
    if len(content) > _LARGEST_ANSWER:
        raise CallFailed(
            f'failed to call webhook: Post "{target.shown}": the answer is longer than {_LARGEST_ANSWER} bytes'
        )
    if not 200 <= status < 300:
        reason = http.client.responses.get(status, "")
        text = content[:512].decode(errors="replace").strip()
        told = f"an error on the server ({json.dumps(text or reason)}) has prevented the request from succeeding"
        raise CallFailed(f"failed to call webhook: {told}")
    try:
        return json.loads(content)
    except ValueError as problem:
        raise CallFailed(f"failed to call webhook: {problem}") from None
