"""Slow clients: each stage of a connection has a deadline, and other clients are served meanwhile."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server.live import JSON, Live, eventually, reply_of, running
from tests.server.reviews import GOOD

HELLO = b"\x16\x03\x01"
"""The first three bytes of a TLS hello."""


@pytest.fixture(scope="module")
def impatient(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    options = ("--handshake-timeout", "1", "--header-timeout", "1", "--body-timeout", "1")
    with running(certificates, tmp_path_factory.mktemp("impatient"), *options) as server:
        yield server


def silent(live: Live, stack: ExitStack, count: int, first: bytes = HELLO) -> list[socket.socket]:
    connections = []
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("localhost", live.port), 10))
        connection.sendall(first)
        connections.append(connection)
    return connections


def is_ended(connection: socket.socket) -> bool:
    """True once the server has ended the connection, which a client may see as a reset; TLS may end without a word."""
    try:
        return connection.recv(1) == b""
    except (ConnectionError, ssl.SSLEOFError):
        return True


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def test_two_hundred_stalled_handshakes_do_not_silence_the_server(live: Live) -> None:
    with ExitStack() as stack:
        silent(live, stack, 200)
        eventually(lambda: live.metric("stagegate_connections") >= 200, "200 open connections are seen")
        assert live.post("/validate", GOOD).status == 200
        assert live.metric("stagegate_connections") >= 200


def test_a_stalled_handshake_is_ended(impatient: Live) -> None:
    with ExitStack() as stack:
        for connection in silent(impatient, stack, 20):
            assert read_all(connection) == b""
    assert impatient.metric('stagegate_connections_closed_total{reason="handshake"}') >= 20


def test_a_connection_that_says_nothing_at_all_is_ended(impatient: Live) -> None:
    with ExitStack() as stack:
        for connection in silent(impatient, stack, 5, b""):
            assert read_all(connection) == b""


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["nothing", "a line", "a header"]
)
def test_a_slow_head_is_answered_and_ended(sent: bytes, impatient: Live) -> None:
    with impatient.tls() as connection:
        connection.sendall(sent)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"the head of the request took longer than 1 seconds\n")


def test_a_head_that_drips_is_ended_all_the_same(impatient: Live) -> None:
    """The deadline is for the whole head; a byte now and then does not move it."""
    with impatient.tls() as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nX-Slow: ")
        connection.settimeout(0.1)
        answer = b""
        for _ in range(100):
            try:
                connection.sendall(b"x")
                answer = connection.recv(4096)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"])
def test_a_slow_body_is_answered_and_ended(framing: bytes, impatient: Live) -> None:
    with impatient.tls() as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + framing)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"the body of the request took longer than 1 seconds\n")


def test_a_body_that_drips_is_ended_all_the_same(impatient: Live) -> None:
    with impatient.tls() as connection:
        connection.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        connection.settimeout(0.1)
        answer = b""
        for _ in range(100):
            try:
                connection.sendall(b" ")
                answer = connection.recv(4096)
                break
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_an_endless_body_is_refused_and_then_cut(live: Live) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with live.tls() as connection:
        connection.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n")
        assert _is_cut(connection, chunk)
    assert live.metric('stagegate_http_refused_total{status="413"}') == 1
    assert live.metric("process_resident_memory_bytes") < 150e6
    assert live.post("/validate", GOOD).status == 200


def _is_cut(connection: socket.socket, chunk: bytes) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            connection.sendall(chunk)
        except OSError:
            return True
    return False


def test_many_large_bodies_at_once_are_all_answered(live: Live) -> None:
    large = GOOD + b" " * (1024 * 1024)
    head = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with ExitStack() as stack:
        connections = [stack.enter_context(live.tls()) for _ in range(20)]
        for connection in connections:
            connection.sendall(head % len(large) + large[:-1])
        for connection in reversed(connections):
            connection.sendall(b" ")
        for connection in connections:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_kept(impatient: Live) -> None:
    """Longer than every deadline of this server: between two calls none of them runs."""
    connection = impatient.connect()
    before = impatient.metric('stagegate_connections_closed_total{reason="handshake"}')
    connection.request("POST", "/validate", GOOD, JSON)
    assert reply_of(connection.getresponse()).status == 200
    with ExitStack() as stack:
        silent(impatient, stack, 1)
        eventually(
            lambda: impatient.metric('stagegate_connections_closed_total{reason="handshake"}') > before,
            "a handshake that began after the call is over its deadline",
        )
        silent(impatient, stack, 1)
        eventually(
            lambda: impatient.metric('stagegate_connections_closed_total{reason="handshake"}') > before + 1,
            "and another",
        )
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    connection.auto_open = 0
    connection.request("POST", "/validate", GOOD, JSON)
    assert reply_of(connection.getresponse()).status == 200
    connection.close()


def test_a_full_server_gives_the_place_of_a_silent_connection_to_a_new_one(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--max-connections", "10") as live, ExitStack() as stack:
        busy = stack.enter_context(live.tls())
        busy.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        busy.sendall(b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD[:-1])
        eventually(lambda: live.metric("stagegate_admission_in_flight") == 1, "the call is under way")
        silent(live, stack, 50)
        eventually(lambda: live.metric('stagegate_connections_closed_total{reason="crowded"}') >= 40, "places given")
        assert live.post("/validate", GOOD).status == 200
        assert live.metric("stagegate_connections") <= 10
        busy.sendall(GOOD[-1:])
        assert busy.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_full_server_gives_the_place_of_a_stalled_call_to_a_new_connection(
    certificates: Path, tmp_path: Path
) -> None:
    with running(certificates, tmp_path, "--max-connections", "3") as live, ExitStack() as stack:
        calls = [stack.enter_context(live.tls()) for _ in range(3)]
        for call in calls:
            call.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            call.sendall(b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(GOOD))
            assert call.recv(4096).startswith(b"HTTP/1.1 100")
        eventually(lambda: live.answers(GOOD), "the oldest call gives way once it is stalled")
        assert is_ended(calls[0])
        for call in calls[1:]:
            call.sendall(GOOD)
            assert call.recv(4096).startswith(b"HTTP/1.1 200")
