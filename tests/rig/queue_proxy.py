"""QueueProxy: simulates the queue proxies, which report to the autoscaler how many requests each pod has in flight."""

import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PORT: Final = 9090
_STARTED: Final = time.monotonic()
Concurrency = Callable[[str], "float | None"]
"""How many requests the pod with this address has in flight; None where there is no pod."""


class QueueProxy:
    """At work until ``stop``."""

    def __init__(self, concurrency: Concurrency) -> None:
        self._server = ThreadingHTTPServer(("0.0.0.0", PORT), _handler(concurrency))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="queue proxies", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(concurrency: Concurrency) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self) -> None:
            address = self.connection.getsockname()[0]
            in_flight = concurrency(address)
            body = b"" if in_flight is None else stat(address, in_flight)
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "application/protobuf")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Too many to say."""

    return Handler


def stat(pod: str, concurrency: float) -> bytes:
    """Knative's message Stat: name of the pod (1), requests in flight (2), requests (4), uptime in seconds (6)."""
    name = pod.encode()
    numbers = {2: concurrency, 4: concurrency, 6: time.monotonic() - _STARTED + 60}
    doubles = b"".join(bytes([field << 3 | 1]) + struct.pack("<d", value) for field, value in numbers.items())
    return b"\x0a" + bytes([len(name)]) + name + doubles
