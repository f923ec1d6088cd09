"""The loop's own pages: /healthz, /readyz and /metrics, on plain HTTP for probes and scrapers."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from webhook.listening import listen

Page = Callable[[], tuple[int, bytes]]
"""Status and body of a page."""

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = 5.0


class Endpoints:
    """Serves pages by path from threads of their own; port 0 takes a free one. Raises OSError when it is taken."""

    def __init__(self, host: str, port: int, pages: dict[str, Page]) -> None:
        self._server = _Server(listen(host, port), _handler(pages))
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoints", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that went away is no news."""


def _handler(pages: dict[str, Page]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # One request a connection, and a caller that sends nothing is let go.
        protocol_version = "HTTP/1.0"
        timeout = _SECONDS

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, body = page() if page is not None else (404, b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Probes are not worth a line."""

    return Handler
