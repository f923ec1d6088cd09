"""Proxy: a plain HTTP door to an API server, where requests meet with the faults of a fire."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import urllib3
import yaml
from kubernetes import client, config

from tests.chaos.fire import Fate, Fault, Fire

Wire = dict[str, Any]

_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})
_HELD_SECONDS: Final = 6.0
"""Longer than the loop waits for the answer to a write."""
_SLOWEST: Final = 0.4
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
    """A write that reached the server: what was asked, and what it answered."""

    method: str
    path: str
    code: int
    asked: Wire
    answer: Wire


class Proxy:
    """Forwards to the server of a kubeconfig, as its user. Use it in a ``with``.

    ``kill`` ends the loop at once. ``answered`` holds every write that reached the server, in order of the answers.
    """

    def __init__(self, kubeconfig: Path, fire: Fire, kill: Callable[[], None], folder: Path) -> None:
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(kubeconfig), client_configuration=configuration, persist_config=False)
        configuration.connection_pool_maxsize = 64
        configuration.retries = False
        self._pool: Any = client.ApiClient(configuration).rest_client.pool_manager
        self._origin = str(configuration.host)
        self.fire, self.kill = fire, kill
        self.answered: list[Answered] = []
        self.without_leases = False
        self._down = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._streams: set[Any] = set()
        self._server = _Server(("127.0.0.1", 0), _Handler, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.kubeconfig = folder / "proxy.kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(self._server.server_address[1])))

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

    def cut_all(self) -> None:
        """Cut every connection, so that nothing a process has sent and that was not forwarded yet ever arrives."""
        with self._lock:
            for one in self._open:
                _shut(one)
            for stream in self._streams:
                _end(stream)

    def streams(self, answer: Any, *, on: bool) -> None:
        with self._lock:
            (self._streams.add if on else self._streams.discard)(answer)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

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

    def note(self, method: str, path: str, asked: bytes, answer: Any) -> None:
        if method != "GET":
            self.answered.append(Answered(method, path, answer.status, _json(asked), _json(answer.data)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke: its client is dead, or we cut it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.proxy.opened(self.connection)

    def finish(self) -> None:
        self.server.proxy.closed(self.connection)
        super().finish()

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
        if proxy.without_leases and plain.endswith("/leases/stagegate-loop"):
            return self._refuse(Fault.AWAY)
        fate = proxy.fire.fate(self.command, plain, watch=watch)
        if fate.fault is Fault.LOST:
            return self._drop()
        if fate.fault in _REFUSALS:
            return self._refuse(fate.fault)
        if fate.fault is Fault.KILL_BEFORE:
            proxy.kill()
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
        proxy.note(self.command, plain, body, answer)
        if fate.fault is Fault.KILL_AFTER:
            proxy.kill()
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
        self.server.proxy.streams(answer, on=True)
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
            self.server.proxy.streams(answer, on=False)
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
        """Whether the client has gone while the request was under way."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.connection.setblocking(True)

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


def _kubeconfig(port: int) -> Wire:
    cluster = {"name": "chaos", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "chaos", "context": {"cluster": "chaos", "user": "loop"}}
    user = {"name": "loop", "user": {}}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [user],
        "contexts": [context],
        "current-context": "chaos",
    }
