"""Proxy: an HTTPS door to an API server, where requests meet with the faults of a fire."""

import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import client, config

from tests.chaos.fire import Fate, Fault, Fire
from tests.controlplane import kubeconfig as kubeconfigs
from tests.controlplane.certificates import Authority

Wire = dict[str, Any]

_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})
_HELD_SECONDS: Final = 6.0
"""Longer than the loop waits for the answer to a write."""
_SLOWEST: Final = 0.4
_HANDSHAKE_SECONDS: Final = 5.0
_LEASE: Final = "/leases/stagegate-loop"
_REFUSALS: Final = {
    Fault.CONFLICT: (409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    Fault.PATIENCE: (429, "TooManyRequests", "too many requests"),
    Fault.BROKEN: (500, "InternalError", "etcdserver: leader changed"),
    Fault.AWAY: (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    Fault.DENIED: (403, "Forbidden", 'admission webhook "chaos.test" denied the request: not now'),
    Fault.GONE: (410, "Expired", "too old resource version"),
}


@dataclass(frozen=True, slots=True)
class Answered:
    """A write that reached the server: who asked for what, and what it answered.

    ``arrived`` is the time at which the proxy had all of it, by ``time.monotonic``; ``warnings`` are the server's.
    """

    method: str
    path: str
    code: int
    asked: Wire
    answer: Wire
    who: str = ""
    arrived: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """Of what was stored; 0 where nothing was, and for a deletion, whose answer shows what was there before."""
        version = (self.answer.get("metadata") or {}).get("resourceVersion") or "0"
        return int(version) if self.stored and self.method != "DELETE" else 0

    @property
    def stored(self) -> bool:
        return 200 <= self.code <= 299


class Proxy:
    """Forwards to the server of a kubeconfig, as its user. Use it in a ``with``.

    It has a certificate of an authority of its own, and asks each client for one: that is how it tells them apart.
    ``strike`` is called with the name of the client whose request is to be the last. ``answered`` holds every write
    that reached the server, in order of the answers. Those in ``without_leases`` are refused their lease.
    """

    def __init__(self, kubeconfig: Path, fire: Fire, strike: Callable[[str], None], folder: Path) -> None:
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(kubeconfig), client_configuration=configuration, persist_config=False)
        configuration.connection_pool_maxsize = 64
        configuration.retries = False
        self._pool: Any = client.ApiClient(configuration).rest_client.pool_manager
        self._origin = str(configuration.host)
        self.fire, self.strike = fire, strike
        self.answered: list[Answered] = []
        self.without_leases: set[str] = set()
        self._down = False
        self._lock = threading.Lock()
        self._open: dict[socket.socket, str] = {}
        self._streams: dict[Any, str] = {}
        self._authority = Authority()
        self._folder = folder
        self._server = _Server(("127.0.0.1", 0), _Handler, self, self._context())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.cut_all()
        self._server.server_close()
        self._thread.join()
        self._pool.clear()

    def go_down(self) -> None:
        """Refuse and cut every connection until ``come_up``."""
        self._down = True
        self.cut_all()

    def come_up(self) -> None:
        self._down = False

    @property
    def is_down(self) -> bool:
        return self._down

    def kubeconfig_for(self, who: str) -> Path:
        """That of a client of this name."""
        path = self._folder / f"{who}.kubeconfig"
        pair = self._authority.client(who, [])
        return kubeconfigs.write(path, self._url, self._authority.certificate, who, pair)

    def cut(self, *whom: str) -> None:
        """Cut their connections, so that nothing they have sent and that was not forwarded yet ever arrives."""
        with self._lock:
            for one, who in self._open.items():
                if who in whom:
                    _shut(one)
            for stream, who in self._streams.items():
                if who in whom:
                    _end(stream)

    def cut_all(self) -> None:
        with self._lock:
            everybody = {*self._open.values(), *self._streams.values()}
        self.cut(*everybody)

    def streams(self, answer: Any, who: str, *, on: bool) -> None:
        with self._lock:
            if on:
                self._streams[answer] = who
            else:
                self._streams.pop(answer, None)

    def opened(self, connection: socket.socket, who: str) -> None:
        with self._lock:
            self._open[connection] = who

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self._authority.certificate.decode())
        pair = self._authority.serving()
        bundle = self._folder / "proxy.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(bundle)
        bundle.unlink()
        return context

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes, *, stream: bool) -> Any:
        """The server's answer; with ``stream`` its body is not read yet."""
        return self._pool.request(
            method,
            self._origin + path,
            body=body or None,
            headers=headers,
            preload_content=not stream,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=5.0, read=700.0 if stream else 30.0),
        )

    def note(self, one: Answered) -> None:
        with self._lock:
            self.answered.append(one)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        proxy: Proxy,
        context: ssl.SSLContext,
    ) -> None:
        self.proxy, self.context = proxy, context
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke: its client is dead, or we cut it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        # Shaking hands here, not where connections are accepted, keeps a slow client from holding up the others.
        self.request.settimeout(_HANDSHAKE_SECONDS)
        secured = self.server.context.wrap_socket(self.request, server_side=True)
        secured.settimeout(None)
        self.request = secured
        certificate: Any = secured.getpeercert()
        self.who = str(dict(part[0] for part in certificate["subject"])["commonName"])
        super().setup()
        self.server.proxy.opened(self.connection, self.who)

    def finish(self) -> None:
        self.server.proxy.closed(self.connection)
        super().finish()
        self.connection.close()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._meet()

    def do_POST(self) -> None:
        self._meet()

    def do_PUT(self) -> None:
        self._meet()

    def do_PATCH(self) -> None:
        self._meet()

    def do_DELETE(self) -> None:
        self._meet()

    def _meet(self) -> None:
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        plain = self.path.partition("?")[0]
        watch = "watch=true" in self.path
        if proxy.is_down or len(body) < length:
            return self._drop()
        self.arrived = time.monotonic()
        if self.who in proxy.without_leases and plain.endswith(_LEASE):
            return self._refuse(Fault.AWAY)
        fate = proxy.fire.fate(self.command, plain, watch=watch, who=self.who)
        if fate.fault is Fault.LOST:
            return self._drop()
        if fate.fault in _REFUSALS:
            return self._refuse(fate.fault)
        if fate.fault is Fault.KILL_BEFORE:
            proxy.strike(self.who)
            return self._drop()
        if fate.fault is Fault.SLOW:
            time.sleep(fate.much * _SLOWEST)
            if self._is_abandoned():
                return self._drop()
        if watch:
            return self._watch(fate)
        return self._forward(fate, plain, body)

    def _forward(self, fate: Fate, plain: str, body: bytes) -> None:
        proxy = self.server.proxy
        try:
            answer = proxy.send(self.command, self.path, self._headers(), body, stream=False)
        except urllib3.exceptions.HTTPError:
            return self._drop()
        if self.command != "GET":
            warnings = tuple(answer.headers.getlist("Warning"))
            asked, told = _json(body), _json(answer.data)
            proxy.note(Answered(self.command, plain, answer.status, asked, told, self.who, self.arrived, warnings))
        if fate.fault is Fault.KILL_AFTER:
            proxy.strike(self.who)
        if fate.fault is Fault.HELD:
            time.sleep(_HELD_SECONDS)
        if fate.fault in (Fault.KILL_AFTER, Fault.UNANSWERED, Fault.HELD):
            return self._drop()
        return self._answer(answer.status, answer.headers, answer.data)

    def _watch(self, fate: Fate) -> None:
        try:
            answer = self.server.proxy.send("GET", self.path, self._headers(), b"", stream=True)
        except urllib3.exceptions.HTTPError:
            return self._drop()
        self.server.proxy.streams(answer, self.who, on=True)
        try:
            if answer.status != 200:
                return self._answer(answer.status, answer.headers, answer.read())
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in _told(_lines(answer), fate):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if fate.fault is not Fault.CUT:
                self.wfile.write(b"0\r\n\r\n")
        except (OSError, ValueError, urllib3.exceptions.HTTPError):
            pass
        finally:
            self.server.proxy.streams(answer, self.who, on=False)
            answer.close()
        return self._drop()

    def _headers(self) -> dict[str, str]:
        return {key: value for key, value in self.headers.items() if key.lower() not in _HOP}

    def _refuse(self, fault: Fault) -> None:
        code, reason, message = _REFUSALS[fault]
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
        headers = {"Content-Type": "application/json"} | ({"Retry-After": "1"} if code == 429 else {})
        self._answer(code, headers, json.dumps(status | {"message": message}).encode())

    def _answer(self, code: int, headers: Any, body: bytes) -> None:
        self.send_response(code)
        for key, value in headers.items():
            if key.lower() not in _HOP | {"date", "server", "content-encoding"}:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_abandoned(self) -> bool:
        """Whether the client has gone while the request was under way: it says nothing else meanwhile."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
        except (OSError, ValueError):
            return True
        return bool(readable)

    def _drop(self) -> None:
        self.close_connection = True
        _shut(self.connection)


def _told(lines: Iterator[bytes], fate: Fate) -> Iterator[bytes]:
    """The events of a watch as they reach the loop."""
    after = int(1 + fate.much * 15)
    before = b""
    for number, line in enumerate(lines, 1):
        yield line
        if fate.fault is Fault.TWICE:
            yield line
        if fate.fault is Fault.SWAPPED and number % 3 == 0 and b'"BOOKMARK"' not in before:
            yield before
        before = line
        if number >= after and fate.fault is Fault.CUT:
            return
        if number >= after and fate.fault is Fault.EXPIRED:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
            return


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.read_chunked() if answer.chunked else iter(lambda: answer.read1(65536), b""):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines if line.strip())


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _end(stream: Any) -> None:
    try:
        stream.shutdown()
    except (AttributeError, OSError, ValueError, RuntimeError):
        return


def _json(body: bytes) -> Wire:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
