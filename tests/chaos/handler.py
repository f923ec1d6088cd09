"""The handler of the proxy's requests: a fault may be injected on the way to the server, or back."""

import json
import select
import ssl
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import urllib3

from tests.chaos.answered import Answered, Wire
from tests.chaos.fault_injection import Fault, Injection

if TYPE_CHECKING:
    from tests.chaos.proxy import Proxy

_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})
_HELD_SECONDS: Final = 6.0
"""Longer than the loop waits for the answer to a write."""
_SLOWEST: Final = 0.4
_HANDSHAKE_SECONDS: Final = 5.0
_LEASE: Final = "/leases/stagegate-loop"
_REFUSALS: Final = {
    Fault.CONFLICT: (409, "Conflict", "the object has been modified; please apply your changes to the latest version"),
    Fault.TOO_MANY: (429, "TooManyRequests", "too many requests"),
    Fault.SERVER_ERROR: (500, "InternalError", "etcdserver: leader changed"),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    Fault.DENIED: (403, "Forbidden", 'admission webhook "chaos.test" denied the request: not now'),
    Fault.GONE: (410, "Expired", "too old resource version"),
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        proxy: "Proxy",
        context: ssl.SSLContext,
    ) -> None:
        self.proxy, self.context = proxy, context
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke: its client is dead, or we cut it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

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
            proxy.injector.away(self.command, plain, watch=watch, who=self.who)
            return self._drop()
        self.arrived = time.monotonic()
        if self.who in proxy.without_leases and plain.endswith(_LEASE):
            return self._refuse(Fault.UNAVAILABLE)
        injection = proxy.injector.injection(self.command, plain, watch=watch, who=self.who)
        if injection.fault is Fault.LOST:
            return self._drop()
        if injection.fault in _REFUSALS:
            return self._refuse(injection.fault)
        if injection.fault is Fault.KILL_BEFORE:
            proxy.interrupt(self.who)
            return self._drop()
        if injection.fault is Fault.SLOW:
            time.sleep(injection.much * _SLOWEST)
            if self._is_abandoned():
                return self._drop()
        if watch:
            return self._watch(injection)
        return self._forward(injection, plain, body)

    def _forward(self, injection: Injection, plain: str, body: bytes) -> None:
        proxy = self.server.proxy
        try:
            answer = proxy.send(self.command, self.path, self._headers(), body, stream=False)
        except urllib3.exceptions.HTTPError:
            return self._drop()
        if self.command != "GET":
            warnings = tuple(answer.headers.getlist("Warning"))
            asked, response = _json(body), _json(answer.data)
            proxy.note(Answered(self.command, plain, answer.status, asked, response, self.who, self.arrived, warnings))
        if injection.fault is Fault.KILL_AFTER:
            proxy.interrupt(self.who)
        if injection.fault is Fault.HELD:
            time.sleep(_HELD_SECONDS)
        if injection.fault in (Fault.KILL_AFTER, Fault.UNANSWERED, Fault.HELD):
            return self._drop()
        return self._answer(answer.status, answer.headers, answer.data)

    def _watch(self, injection: Injection) -> None:
        try:
            answer = self.server.proxy.send("GET", self.path, self._headers(), b"", stream=True)
        except urllib3.exceptions.HTTPError:
            return self._drop()
        self.server.proxy.streams(answer, self.who, on=True)
        silent_since: list[float] = []
        try:
            if answer.status != 200:
                return self._answer(answer.status, answer.headers, answer.read())
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in _altered(_lines(answer), injection, lambda: silent_since.append(time.monotonic())):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if injection.fault is not Fault.CUT:
                self.wfile.write(b"0\r\n\r\n")
        except (OSError, ValueError, urllib3.exceptions.HTTPError):
            pass
        finally:
            self.server.proxy.streams(answer, self.who, on=False)
            answer.close()
            if silent_since:
                self.server.proxy.note_silence(self.who, silent_since[0], time.monotonic())
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
        self.server.proxy.shut(self.connection)


def _altered(lines: Iterator[bytes], injection: Injection, on_silence: Callable[[], None]) -> Iterator[bytes]:
    """The events of a watch as they reach its client; ``on_silence`` is called for each that does not."""
    after = int(1 + injection.much * 15)
    before = b""
    for number, line in enumerate(lines, 1):
        if injection.fault is Fault.SILENT and number > after:
            # Not even bookmarks arrive.
            on_silence()
            continue
        yield line
        if injection.fault is Fault.TWICE:
            yield line
        if injection.fault is Fault.SWAPPED and number % 3 == 0 and b'"BOOKMARK"' not in before:
            yield before
        before = line
        if number >= after and injection.fault is Fault.CUT:
            return
        if number >= after and injection.fault is Fault.EXPIRED:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
            return


def _lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.read_chunked() if answer.chunked else iter(lambda: answer.read1(65536), b""):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines if line.strip())


def _json(body: bytes) -> Wire:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
