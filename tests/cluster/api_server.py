"""A real HTTP server that answers every request with the same JSON and records what arrived, and kubeconfigs for it."""

import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from cryptography.x509 import load_der_x509_certificate
from cryptography.x509.oid import NameOID

from tests.controlplane.certificates import Authority
from webhook.cluster.errors import Call
from webhook.cluster.transport import Request

VERSION = Request(Call("get", "/version"), "GET", "/version", {}, 10.0)
BODY = b'{"major": "1", "minor": "32", "gitVersion": "v1.32.0"}'


@dataclass
class Arrived:
    """One request: its headers in their order, and the common name of the client certificate that came with it."""

    path: str
    headers: list[tuple[str, str]]
    certificate: str = ""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class ApiServer:
    url: str
    requests: list[Arrived] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Of the next answers; 200 when there are none left."""

    is_silent: bool = False
    """Whether answers begin and never end."""
    drips: bytes = b""
    """What answers repeat without end, every 50 ms, after a head that is whole or not: each byte is a sign of life."""
    body: bytes = BODY
    delay: float = 0.0
    """In seconds, before each answer."""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def last(self) -> Arrived:
        return self.requests[-1]


@contextmanager
def api_server(authority: Authority | None, folder: Path) -> Iterator[ApiServer]:
    """A server with a leaf of this authority, without TLS if there is none. Client certificates are asked for."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.requests.append(Arrived(self.path, list(self.headers.items()), _shown_by(self.connection)))
            seen.ended.wait(seen.delay)
            if seen.drips:
                self._drip()
                return
            self.send_response(seen.statuses.pop(0) if seen.statuses else 200)
            self.send_header("Content-Type", "application/json")
            if seen.is_silent:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                seen.ended.wait()
                return
            self.send_header("Content-Length", str(len(seen.body)))
            self.end_headers()
            self.wfile.write(seen.body)

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n")
            with contextlib.suppress(OSError):
                while not seen.ended.wait(0.05):
                    self.wfile.write(seen.drips)
                    seen.drips = seen.drips[-1:]

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """A test prints nothing."""

    server = _Quiet(("127.0.0.1", 0), Answers)
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = authority.serving()
        (folder / "serving.pem").write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(folder / "serving.pem")
        context.load_verify_locations(cadata=authority.certificate.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        server.context = context
    scheme = "http" if authority is None else "https"
    seen = ApiServer(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        seen.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(ThreadingHTTPServer):
    """Each connection shakes hands in its own thread; clients that disconnect are ignored."""

    context: ssl.SSLContext | None = None
    daemon_threads = True
    block_on_close = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client's side of it is what a test looks at."""


def _shown_by(connection: Any) -> str:
    der = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
    if der is None:
        return ""
    return str(load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def kubeconfig(folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any], name: str = "config") -> str:
    """The path of a kubeconfig with one context."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": dict(cluster)}],
        "users": [{"name": "u", "user": dict(user)}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / name).write_text(yaml.safe_dump(body))
    return str(folder / name)


def trusting(server: ApiServer, authority: Authority, folder: Path) -> dict[str, Any]:
    """The cluster of a kubeconfig that trusts this authority."""
    (folder / "ca.crt").write_bytes(authority.certificate)
    return {"server": server.url, "certificate-authority": str(folder / "ca.crt")}
