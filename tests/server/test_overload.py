"""Overload: what cannot be answered in time is refused at once, and the rest is answered in time."""

import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from tests.admission.reviews import request_of
from tests.admission.worst_reviews import OBJECTS
from tests.cluster.fake_clock import FakeClock
from tests.server.live import Live, eventually, running
from tests.server.overloading import Outcome, overload
from tests.server.reviews import GOOD
from tests.server.test_protocol import Worker
from webhook.server.head import response
from webhook.server.overload import EARLY, Patience, timeout_in, unread_bytes, unread_seconds

HEAD = b"POST /mutate?timeout=%ds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"timeout=3s", 3.0),
        (b"timeout=30s", 30.0),
        (b"a=b&timeout=10s&c=d", 10.0),
        (b"", inf),
        (b"timeout=0s", inf),
        (b"timeout=3", inf),
        (b"timeout=3m", inf),
        (b"timeout=-3s", inf),
        (b"xtimeout=3s", inf),
        (b"timeout=99999s", inf),
    ],
)
def test_how_long_an_api_server_waits(query: bytes, seconds: float) -> None:
    assert timeout_in(query) == seconds


def test_a_refusal_names_no_time_to_try_again() -> None:
    clock = FakeClock()
    patience = Patience(clock.monotonic)
    clock.advance(1.62)
    refusal = patience.overdue(EARLY, b"timeout=3s")
    assert refusal is not None
    assert refusal.line == (
        "this server has more reviews than it can answer in time: "
        "the review has waited 1.6 s of the 3 s that the API server waits"
    )
    assert b"retry-after" not in response(refusal.status, "text/plain", refusal.body, b"now").lower()


class Peer:
    """A socket whose last bytes arrived so many seconds ago."""

    def __init__(self, ago: float) -> None:
        self.ago = ago

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return bytes(52) + int(self.ago * 1000).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("timeout", "waited", "status"),
    [(3, 0.0, 200), (3, 1.5, 200), (3, 1.6, 503), (1, 0.6, 503), (30, 14.0, 200)],
)
def test_a_review_that_has_waited_unread_for_half_the_time_is_refused(timeout: int, waited: float, status: int) -> None:
    worker = Worker()
    connection, transport = worker.connect()
    connection._patience._peer = Peer(waited)
    connection.data_received(HEAD % timeout + b"Content-Length: 1\r\n\r\nx")
    assert (transport.statuses, connection.stage) == ([status], "idle")
    assert worker.sample("stagegate_http_refused_total", status="503") == (status == 503)
    connection._patience._peer = Peer(0.0)
    connection.data_received(HEAD % timeout + b"Content-Length: 1\r\n\r\nx")
    assert transport.statuses == [status, 200], "the connection goes on"


@pytest.mark.parametrize(("sent_for", "status"), [(2.6, 200), (2.8, 503)])
def test_a_review_whose_body_comes_too_late_is_refused_without_being_judged(sent_for: float, status: int) -> None:
    worker = Worker()
    connection, transport = worker.connect()
    connection.data_received(HEAD % 3 + b"Content-Length: 2\r\n\r\nx")
    worker.clock.advance(sent_for)
    connection.data_received(b"y")
    assert transport.statuses == [status]


def test_the_kernel_says_how_long_bytes_have_waited() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        peer, _ = listener.accept()
        with peer:
            client.sendall(b"x")
            deadline = time.monotonic() + 30
            while unread_seconds(peer) < 0.2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            client.sendall(b"y")
            while unread_seconds(peer) >= 0.2:
                assert time.monotonic() < deadline
    assert unread_seconds(peer) == 0.0, "a connection that is closed"


def test_the_kernel_says_how_much_is_unread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        peer, _ = listener.accept()
        with peer:
            peer.setblocking(False)
            assert unread_bytes(peer, 100) == 0
            client.sendall(b"x" * 70)
            eventually(lambda: unread_bytes(peer, 100) == 70, "what was sent has arrived")
            assert unread_bytes(peer, 50) == 50
            assert len(peer.recv(100)) == 70, "nothing was taken"
            client.shutdown(socket.SHUT_WR)
            assert unread_bytes(peer, 100) == 0
    assert unread_bytes(peer, 100) == 0, "a connection that is closed"
    assert unread_bytes(None, 100) == 0


@pytest.fixture(scope="module")
def server(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    # A machine that does much beside this must not make the server give up on these callers.
    patient = [f"--{part}-timeout=300" for part in ("handshake", "header", "body")]
    with running(certificates, tmp_path_factory.mktemp("overload"), *patient) as live:
        yield live


def call(timeout: str, body: bytes) -> bytes:
    head = f"POST /validate{timeout} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def worker_of(server: Live) -> int:
    """The process that answers, which gunicorn has started."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return int(children[0])


def test_what_has_waited_in_a_server_that_stood_still_is_refused_and_the_rest_is_answered(server: Live) -> None:
    timeouts = ["?timeout=1s"] * 20 + ["?timeout=30s"] * 20 + [""] * 5
    connections = [server.tls() for _ in timeouts]
    judged = server.metric('stagegate_admission_duration_seconds_count{path="/validate"}')
    worker = worker_of(server)

    os.kill(worker, signal.SIGSTOP)
    try:
        for connection, timeout in zip(connections, timeouts, strict=True):
            connection.sendall(call(timeout, GOOD))
        time.sleep(0.7)
    finally:
        os.kill(worker, signal.SIGCONT)
    answers = [first_of(connection) for connection in connections]
    assert [answer.split(b" ")[1] for answer in answers] == [b"503"] * 20 + [b"200"] * 25
    assert b"retry-after" not in answers[0].lower()
    assert server.metric('stagegate_admission_duration_seconds_count{path="/validate"}') - judged == 25
    assert server.metric('stagegate_http_refused_total{status="503"}') >= 20
    for connection in connections:
        connection.sendall(call("?timeout=30s", GOOD))
        assert first_of(connection).startswith(b"HTTP/1.1 200 "), "each connection goes on"
        connection.close()


def first_of(connection: ssl.SSLSocket) -> bytes:
    """One response."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head


def test_under_more_than_it_can_do_a_server_refuses_some_answers_the_rest_and_is_itself_again(server: Live) -> None:
    body = json.dumps(request_of(OBJECTS["full lists of one name"]())).encode()
    outcome: Outcome = overload(server.port, server.client_context(), body, callers=120, seconds=4.0, timeout=1)
    print(outcome)
    assert set(outcome.statuses) <= {200, 503}
    assert outcome.statuses[200] > 0
    reply = server.post("/validate?timeout=10s", GOOD)
    assert reply.status == 200
    assert server.get("/healthz").body == b"ok\n"
