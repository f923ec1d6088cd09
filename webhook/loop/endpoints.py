"""The loop's own pages: /healthz, /readyz and /metrics, on plain HTTP for probes and scrapers."""

import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from webhook.cluster.supervisor import Supervisor
from webhook.listening import listen

Page = Callable[[], tuple[int, bytes]]
"""Status and body of a page."""

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = 5.0
_FAILED: Final = (500, b"the page failed; the log of this process says why\n")


class Endpoints:
    """Serves pages by path from threads of their own; port 0 takes a free one. Raises OSError when it is taken."""

    def __init__(self, host: str, port: int, pages: dict[str, Page], supervisor: Supervisor | None = None) -> None:
        self._supervisor = supervisor or Supervisor()
        self._server = _Server(listen(host, port), _handler(pages, self._supervisor), self._supervisor)
        self._stopped = threading.Event()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._supervisor.start("pages", self._serve, self._stopped.wait)

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self) -> None:
        self._server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler], supervisor: Supervisor) -> None:
        super().__init__(listener.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._supervisor = supervisor

    def service_actions(self) -> None:
        """Called twice a second."""
        self._supervisor.beat()

    def handle_error(self, request: object, client_address: object) -> None:
        """Called with an exception under way; a caller that went away, or sends nothing, is none of ours."""
        if not isinstance(sys.exception(), OSError):
            self._supervisor.fault("pages", f"a call from {client_address}")


def _handler(pages: dict[str, Page], supervisor: Supervisor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # One request a connection, and a caller that sends nothing is let go.
        protocol_version = "HTTP/1.0"
        timeout = _SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            page = pages.get(path)
            try:
                status, body = page() if page is not None else (404, b"not found\n")
            except Exception:
                supervisor.fault("pages", f"page {path}")
                status, body = _FAILED
            self.send_response(status)
            self.send_header("Content-Type", TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Probes are not worth a line."""

    return Handler
