"""The HTTP front: TLS connections on loopback, bounded in size and time; one thread each."""

import contextlib
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

from sandbox.calls import Request
from sandbox.failures import ApiError, bad_request, internal
from sandbox.identity import Credentials
from sandbox.objects import encode
from sandbox.server import ApiServer, Response

LARGEST_BODY: Final = 3 * 1024 * 1024
"""Bytes of a request body, as a real API server takes them."""

_HANDSHAKE_SECONDS: Final = 10.0
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
        """Shake hands in the connection's own thread, so that a silent client blocks no other."""
        secured: Any = None
        try:
            request.settimeout(_HANDSHAKE_SECONDS)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = self.credentials.context.wrap_socket(request, server_side=True)
            with self._lock:
                self._connections.add(secured)
            secured.settimeout(_IDLE_SECONDS)
            self.finish_request(secured, client_address)
        except (OSError, ValueError):
            pass  # the client closed the connection or spoke no TLS
        finally:
            with self._lock:
                self._connections.discard(secured)
            with contextlib.suppress(OSError):
                (secured or request).close()


class Handler(BaseHTTPRequestHandler):
    """Requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Front
    connection: ssl.SSLSocket
    wbufsize = 64 * 1024

    def do_GET(self) -> None:
        try:
            response = self._answer(self._body())
        except ApiError as problem:
            self.close_connection = True
            response = Response(problem.code, problem.to_dict())
        if response.stream is None:
            self._send(response)
        else:
            self._send_stream(response, response.stream)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """The request log keeps what matters."""

    def _answer(self, body: bytes) -> Response:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        user = self.server.credentials.user_of(headers.get("authorization", ""))
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        request = Request(self.command, parts.path, query, headers, body, user)
        try:
            return self.server.api.handle(request)
        except Exception as problem:  # a defect of the sandbox must not look like an answer of an API server
            return Response(500, internal(f"the sandbox failed: {type(problem).__name__}: {problem}").to_dict())

    def _body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise ApiError(411, "", "the sandbox reads no chunked bodies; send a Content-Length")
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit():
            raise bad_request("the Content-Length is no number")
        if int(length) > LARGEST_BODY:
            raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY}")
        return self.rfile.read(int(length))

    def _begin(self, response: Response, **headers: str) -> None:
        self.send_response(response.code)
        for warning in response.warnings:
            self.send_header("Warning", f"299 - {json.dumps(' '.join(warning.split()), ensure_ascii=True)}")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, response: Response) -> None:
        media = "application/json" if response.text is None else "text/plain; charset=utf-8"
        content = encode(response.value) + b"\n" if response.text is None else response.text.encode()
        self._begin(response, Content_Type=media, Content_Length=str(len(content)))
        self.wfile.write(content)
        self.wfile.flush()

    def _send_stream(self, response: Response, lines: Iterator[Any]) -> None:
        self.close_connection = True
        self._begin(response, Content_Type="application/json", Transfer_Encoding="chunked")
        self.wfile.flush()
        with contextlib.closing(lines):  # type: ignore[type-var]  # a generator
            for line in lines:
                if line is not None:
                    content = encode(line) + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
                    self.wfile.flush()
                elif select.select([self.connection], [], [], 0)[0]:
                    return  # the client of a watch has nothing to send: it has hung up
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
