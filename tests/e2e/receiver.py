"""An HTTPS server on loopback that receives admission calls, records them, and answers as ``reply`` says."""

import base64
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.controlplane.certificates import Authority
from webhook.admission import EmptyLookup, Settings, review

Reply = Callable[[bytes, str], tuple[int, bytes]]
"""Body and path of a call in; status and body of the answer out."""


class Call(NamedTuple):
    """One call as it came: its path without the query, its query, and the review's request."""

    path: str
    query: str
    request: dict[str, Any]


def as_stagegate(body: bytes, path: str) -> tuple[int, bytes]:
    """The answer of Stagegate's own admission, with no RO known."""
    return review(body, path, EmptyLookup(), Settings())


class Receiver:
    """A running receiver; ``calls`` grows as they come. ``reply`` may be exchanged at any time."""

    def __init__(self, folder: Path, reply: Reply = as_stagegate) -> None:
        self.calls: list[Call] = []
        self.reply = reply
        self._authority = Authority()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = self._authority.serving()
        bundle = folder / "receiver.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(bundle)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def client_config(self, path: str) -> dict[str, str]:
        """The clientConfig of a webhook that calls this receiver."""
        port = self._server.server_address[1]
        return {
            "url": f"https://127.0.0.1:{port}{path}",
            "caBundle": base64.b64encode(self._authority.certificate).decode(),
        }

    def paths(self) -> list[str]:
        """The paths called so far, in order."""
        return [call.path for call in self.calls]

    def stop(self) -> None:
        """Free the port and cut open connections; later calls are refused."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._server.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that has given up is not worth a word."""


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path, _, query = self.path.partition("?")
            receiver.calls.append(Call(path, query, json.loads(body)["request"]))
            status, answer = receiver.reply(body, path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Tests say what they need to say."""

    return Handler
