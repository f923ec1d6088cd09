"""SIGTERM: the server is no longer ready, responses carry Connection: close, and no call is cut off."""

import http.client
import socket
import ssl
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from tests.server.live import JSON, Live, eventually, reply_of, running
from tests.server.reviews import GOOD


class Caller(threading.Thread):
    """Calls as an API server does: keeps its connection until a response closes it; ends when no connection is taken.

    A call is cut when its bytes were sent and no answer came.
    """

    def __init__(self, live: Live) -> None:
        super().__init__(daemon=True)
        self._live = live
        self.answers: Counter[int] = Counter()
        self.cut: list[str] = []
        self.closes = 0

    def run(self) -> None:
        context = self._live.client_context()
        while True:
            connection = http.client.HTTPSConnection("localhost", self._live.port, timeout=10, context=context)
            try:
                connection.connect()
            except OSError:
                return
            with connection.sock:
                if not self._call_until_closed(connection):
                    return

    def _call_until_closed(self, connection: http.client.HTTPSConnection) -> bool:
        while True:
            try:
                connection.request("POST", "/validate?timeout=3s", GOOD, JSON)
                reply = reply_of(connection.getresponse())
            except (OSError, http.client.HTTPException) as problem:
                self.cut.append(repr(problem))
                return False
            self.answers[reply.status] += 1
            if reply.headers.get("connection") == "close":
                self.closes += 1
                return True


def test_under_load_no_call_is_cut(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path) as live:
        callers = [Caller(live) for _ in range(8)]
        for caller in callers:
            caller.start()
        eventually(lambda: sum(sum(each.answers.values()) for each in callers) > 200, "there is load")
        live.terminate()
        for caller in callers:
            caller.join(120)
        assert [each.cut for each in callers if each.cut] == []
        assert all(set(each.answers) == {200} for each in callers)
        assert all(each.closes for each in callers)
        assert live.process.wait(60) == 0


def test_readiness_goes_first(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "60") as live:
        assert live.get("/readyz").status == 200
        live.terminate()
        eventually(lambda: live.get("/readyz").status == 503, "readiness is off while connections are taken")
        assert b"[-] draining" in live.get("/readyz").body
        assert live.post("/validate", GOOD).status == 200


def test_an_answer_says_that_its_connection_closes(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "60") as live:
        before = live.post("/validate", GOOD)
        assert "connection" not in before.headers
        live.terminate()
        eventually(lambda: live.post("/validate", GOOD).headers.get("connection") == "close", "answers say close")


def test_idle_and_silent_connections_do_not_hold_the_exit(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "0.2") as live, ExitStack() as stack:
        idle = stack.enter_context(live.tls())
        idle.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 404")
        live.terminate()
        assert live.process.wait(60) == 0


def test_a_call_under_way_is_answered_after_the_last_connection_was_taken(certificates: Path, tmp_path: Path) -> None:
    # The body takes as long as the machine needs to end the listener.
    options = ("--drain", "0", "--body-timeout", "300")
    with running(certificates, tmp_path, *options) as live, live.tls() as slow:
        slow.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        slow.sendall(b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD[:-1])
        eventually(lambda: live.metric("stagegate_admission_in_flight") == 1, "the call is under way")
        live.terminate()
        eventually(lambda: not _takes_connections(live), "no connection is taken")
        slow.sendall(GOOD[-1:])
        answer = slow.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Connection: close" in answer
        assert live.process.wait(60) == 0


def test_a_stalled_handshake_holds_the_exit_only_until_its_deadline(certificates: Path, tmp_path: Path) -> None:
    options = ("--drain", "0", "--handshake-timeout", "0.5")
    with (
        running(certificates, tmp_path, *options) as live,
        socket.create_connection(("localhost", live.port)) as stalled,
    ):
        stalled.sendall(b"\x16\x03\x01")
        eventually(lambda: live.metric("stagegate_connections") == 1, "the stalled connection is seen")
        live.terminate()
        assert live.process.wait(12) == 0


def test_interrupted_it_ends_at_once(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "60") as live, live.tls() as idle:
        idle.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 404")
        live.process.send_signal(2)
        assert live.process.wait(40) == 0


def _takes_connections(live: Live) -> bool:
    try:
        with socket.create_connection(("localhost", live.port), 5) as connection:
            live.client_context().wrap_socket(connection, server_hostname="localhost").close()
    except (ConnectionError, TimeoutError, ssl.SSLError):
        return False
    return True
