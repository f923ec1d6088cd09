"""Activator: simulates Knative's activator and the name server that resolves to it."""

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.rig.configuration import ACTIVATOR

_ADDRESS: Final = 1
_SECONDS: Final = 60


class Activator:
    """At work until ``stop``: every name leads to it, and it confirms every probe."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("0.0.0.0", 80), _Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="activator", daemon=True).start()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", 53))
        threading.Thread(target=self._answer, name="name server", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._socket.close()

    def _answer(self) -> None:
        while True:
            try:
                query, sender = self._socket.recvfrom(1500)
                self._socket.sendto(response(query, ACTIVATOR), sender)
            except OSError:
                return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_GET(self) -> None:
        body = b"activator"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Too many to say."""


def response(query: bytes, address: str) -> bytes:
    """The answer to a DNS query (RFC 1035): this address to a question for one; to any other, that there is none."""
    end = query.index(b"\0", 12) + 5
    asked = struct.unpack("!H", query[end - 4 : end - 2])[0]
    found = b""
    if asked == _ADDRESS:
        found = b"\xc0\x0c" + struct.pack("!HHIH", _ADDRESS, 1, _SECONDS, 4) + socket.inet_aton(address)
    counts = struct.pack("!HHHH", 1, 1 if found else 0, 0, 0)
    return query[:2] + b"\x81\x80" + counts + query[12:end] + found
