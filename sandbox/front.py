"""The HTTP front: TLS connections on loopback, bounded in number, size and time; one thread each."""

import contextlib
import io
import json
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sandbox.failures import ApiError, bad_request, internal
from sandbox.identity import Credentials
from sandbox.objects import encode
from sandbox.server import Answer, ApiServer, Request

LARGEST_BODY: Final = 3 * 1024 * 1024
"""Bytes of a request body, as a real API server takes them."""

MOST_CONNECTIONS: Final = 2000
_HANDSHAKE_SECONDS: Final = 10.0
_DRAIN_SECONDS: Final = 1.0
_DRAINED: Final = 16 * 1024 * 1024
_IDLE_SECONDS: Final = 120.0


class Front(socketserver.ThreadingTCPServer):
    """Accepts connections and hands requests to the API."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, port: int, credentials: Credentials, api: ApiServer) -> None:
        self.api = api
        self.credentials = credentials
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="sandbox-accept", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Accept nothing more and cut every connection."""
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a silent client holds up nobody."""
        with self._lock:
            if len(self._connections) >= MOST_CONNECTIONS:
                request.close()
                return
            self._connections.add(request)
        secured: Any = None
        try:
            request.settimeout(_HANDSHAKE_SECONDS)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self.credentials.context.wrap_socket(request, server_side=True)
            with self._lock:
                self._connections.discard(request)
                self._connections.add(secured)
            secured.settimeout(_IDLE_SECONDS)
            self.finish_request(secured, client_address)
        except (OSError, ValueError):
            pass  # the client went away or spoke no TLS; there is nobody to tell
        finally:
            with self._lock:
                self._connections -= {request, secured}
            with contextlib.suppress(OSError):
                (secured or request).close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks concerns its client alone."""


class Handler(BaseHTTPRequestHandler):
    """Requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Front
    connection: ssl.SSLSocket
    rfile: io.BufferedReader
    wbufsize = 64 * 1024

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The request log keeps what matters."""

    def _serve(self) -> None:
        try:
            body = self._body()
            answer = self._answer(body)
        except ApiError as problem:
            self.close_connection = True
            self._send(Answer(problem.code, problem.to_dict()))
            self._drain()
            return
        if answer.stream is None:
            self._send(answer)
        else:
            self._send_stream(answer, answer.stream)

    def _answer(self, body: bytes) -> Answer:
        parts = urlsplit(self.path)
        query = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            name = name.lower()
            headers[name] = f"{headers[name]}\n{value}" if name in headers else value
        user = self.server.credentials.user_of(headers.get("authorization", ""))
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        request = Request(self.command, parts.path, query, headers, body, user)
        try:
            return self.server.api.handle(request)
        except Exception as problem:  # a defect of the sandbox must not look like an answer of an API server
            return Answer(500, internal(f"the sandbox failed: {type(problem).__name__}: {problem}").to_dict())

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise ApiError(411, "", "the sandbox reads no chunked bodies; send a Content-Length")
        stated = self.headers.get("Content-Length") or "0"
        if not stated.isdigit():
            raise bad_request("the Content-Length is no number")
        if int(stated) > LARGEST_BODY:
            raise _too_large()
        return self.rfile.read(int(stated))

    def _drain(self) -> None:
        """Take what a client is still sending, within limits: cut off in the middle, it would not see its answer."""
        self.connection.settimeout(_DRAIN_SECONDS)
        left = _DRAINED
        with contextlib.suppress(OSError):
            while left > 0 and (chunk := self.rfile.read1(65536)):
                left -= len(chunk)

    def _send(self, answer: Answer) -> None:
        text = answer.text is not None
        content = (answer.text or "").encode() if text else encode(answer.value) + b"\n"
        self.send_response(answer.code)
        self._send_warnings(answer.warnings)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def _send_stream(self, answer: Answer, lines: Iterator[Any]) -> None:
        self.close_connection = True
        self.send_response(answer.code)
        self._send_warnings(answer.warnings)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()
        try:
            for line in lines:
                if line is not None:
                    content = encode(line) + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
                    self.wfile.flush()
                elif self._client_is_gone():
                    return
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
        except OSError:
            return
        finally:
            close = getattr(lines, "close", None)
            if close is not None:
                close()

    def _client_is_gone(self) -> bool:
        """Whether a watch's client has hung up; it has nothing to send, so whatever arrives is its end."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable)

    def _send_warnings(self, warnings: list[str]) -> None:
        for warning in warnings:
            text = json.dumps(" ".join(warning.split()), ensure_ascii=True)
            self.send_header("Warning", f"299 - {text}")


def _too_large() -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY}")
