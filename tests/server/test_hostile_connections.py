"""Connections that no API server makes, by name; an honest call is answered while they are there."""

import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.fuzz.answered_requests import Answer, read_answers
from tests.server.live import JSON, Live, eventually, running
from tests.server.reviews import GOOD
from tests.server.test_deadlines import is_ended
from webhook.server.limits import Limits
from webhook.server.metrics import LOOPS

MANY = 1000
OPEN = Limits().connections
"""As many connections as a server has by default."""
MIB = 1024 * 1024
PATIENCE = 60.0
"""Seconds; more than anything here takes on a busy machine."""

HEAD = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD


def hello(record_version: bytes = b"\x03\x01") -> bytes:
    """What a client sends first, in a record of that version."""
    outgoing, context = ssl.MemoryBIO(), ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sent = outgoing.read()
    return sent[:1] + record_version + sent[3:]


HELLO = hello()
PARTS = {"hello": HELLO[:60], "head": HEAD + b"X-Slow: ", "body": HEAD + b"Content-Length: 1000\r\n\r\n{"}


@pytest.fixture(scope="module")
def patient(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose deadlines are too long to help it."""
    options = ("--handshake-timeout", "600", "--header-timeout", "600", "--body-timeout", "600")
    with running(certificates, tmp_path_factory.mktemp("patient"), *options) as server:
        yield server


@pytest.fixture(autouse=True)
def no_fault(patient: Live, live: Live) -> Iterator[None]:
    """Nothing that a client does is a fault of the server."""
    yield
    for server in (patient, live):
        assert [loop for loop in LOOPS if server.metric(f'stagegate_faults_total{{loop="{loop}"}}')] == []


def connected(live: Live, place: str, sent: bytes) -> socket.socket:
    """A connection that has sent these bytes, in TLS unless it is to stop in the hello."""
    if place != "hello":
        tls = live.tls()
        tls.sendall(sent)
        return tls
    plain = socket.create_connection(("localhost", live.port), PATIENCE)
    plain.sendall(sent)
    return plain


@pytest.mark.parametrize("place", PARTS)
def test_a_thousand_connections_that_stop_in_the(place: str, patient: Live) -> None:
    with ExitStack() as stack:
        begun = time.monotonic()
        for _ in range(MANY):
            stack.enter_context(connected(patient, place, PARTS[place]))
        eventually(lambda: patient.metric("stagegate_connections") >= OPEN, "as many as can be are open")
        eventually(lambda: time.monotonic() > begun + 1, "the first body is stalled")
        for _ in range(3):
            assert patient.answers(GOOD)
        assert patient.metric("stagegate_connections") >= OPEN - 4, "they are still there"


LARGE = {f"{size} KiB": GOOD + b" " * (size * 1024 - len(GOOD)) for size in (100, 1024, 7168)}
LARGEST = HEAD + b"Content-Length: %d\r\n\r\n" % (7 * MIB)


def answers_large(live: Live) -> bool:
    """True if large calls get their verdict in the time of an API server."""
    return all(live.post("/validate?timeout=3s", body).status == 200 for body in LARGE.values())


def test_connections_that_stop_in_a_large_body(patient: Live) -> None:
    with ExitStack() as stack:
        for _ in range(OPEN - 10):
            stack.enter_context(connected(patient, "body", LARGEST + b" " * (64 * 1024 + 1)))
        assert answers_large(patient), "at once, while some of them have just stopped"
        assert patient.answers(GOOD)
        assert patient.metric("stagegate_connections") >= OPEN - 10, "they are still there"


def test_connections_that_fill_the_memory_of_large_bodies_and_stop(patient: Live) -> None:
    """Each sends all but the last bytes of the largest body; an API server's call needs the memory then."""
    gone = patient.metric('stagegate_connections_closed_total{reason="crowded"}')
    with ExitStack() as stack:
        full = [stack.enter_context(connected(patient, "body", LARGEST + b" " * (7 * MIB - 9))) for _ in range(8)]
        for _ in range(100):
            stack.enter_context(connected(patient, "body", LARGEST + b" " * (128 * 1024)))
        eventually(lambda: answers_large(patient), "the stalled give way a second later")
        assert answers_large(patient), "and from then on at once"
        assert patient.metric('stagegate_connections_closed_total{reason="crowded"}') > gone
        answers = [client.recv(4096) for client in full[:1]]
        assert answers[0].startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 503 "))


def test_large_bodies_of_one_byte_now_and_then(patient: Live) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(patient, "body", LARGEST + b" " * (7 * MIB - 2000))) for _ in range(8)]

        def is_answered() -> bool:
            for client in clients:
                # The server has ended some of them.
                with suppress(OSError):
                    client.sendall(b" ")
            return answers_large(patient)

        eventually(is_answered, "those that drip give way")
        assert is_answered()


def test_a_thousand_connections_that_stop_at_the_pages(patient: Live) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            client = stack.enter_context(socket.create_connection(("localhost", patient.pages), PATIENCE))
            client.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert [patient.get(page).status for page in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    assert patient.answers(GOOD)


def test_one_byte_a_second(patient: Live) -> None:
    """In the hello, in the head and in the body at once."""
    rest = {"hello": HELLO[60:], "head": b"x" * 9, "body": b" " * 9}
    with ExitStack() as stack:
        clients = [
            (stack.enter_context(connected(patient, place, sent)), place)
            for place, sent in PARTS.items()
            for _ in range(30)
        ]
        for second in range(3):
            for client, place in clients:
                client.sendall(rest[place][second : second + 1])
            assert patient.answers(GOOD)
            time.sleep(1)
        assert patient.metric("stagegate_connections") >= len(clients)


def shut(client: socket.socket) -> None:
    """Send no more, without a word of TLS, and go on reading."""
    socket.socket.shutdown(client, socket.SHUT_WR)


@pytest.mark.parametrize("place", PARTS)
def test_half_closed_in_the(place: str, patient: Live) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(patient, place, PARTS[place])) for _ in range(30)]
        for client in clients:
            shut(client)
        assert patient.answers(GOOD)
        assert all(is_ended(client) for client in clients)


def test_half_closed_after_a_call(live: Live) -> None:
    with live.tls() as client:
        client.sendall(WHOLE)
        shut(client)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    assert live.answers(GOOD)


@pytest.mark.parametrize("place", [*PARTS, "answer"])
def test_resets_in_the(place: str, patient: Live) -> None:
    for _ in range(50):
        client = connected(patient, place, PARTS.get(place, WHOLE))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert patient.answers(GOOD)
    eventually(lambda: patient.metric("stagegate_connections") < 10, "they are forgotten")


ALERT_OF_VERSION = b"\x15\x03\x02\x00\x02\x02\x46"
TLS_1_1 = b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x02" + bytes(32) + b"\x00\x00\x02\xc0\x13\x01\x00"
"""A hello of a client that knows nothing newer."""


def test_tls_1_1(live: Live) -> None:
    with socket.create_connection(("localhost", live.port), PATIENCE) as client:
        client.sendall(TLS_1_1)
        assert client.recv(100) == ALERT_OF_VERSION
        assert live.answers(GOOD)


def test_tls_1_2_is_refused_unless_asked_for(live: Live) -> None:
    context = live.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("localhost", live.port), PATIENCE) as raw,
        pytest.raises(ssl.SSLError, match="alert protocol version"),
    ):
        context.wrap_socket(raw, server_hostname="localhost")
    assert live.answers(GOOD)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no client that can ask for a renegotiation")
def test_renegotiation_is_refused(certificates: Path, tmp_path: Path) -> None:
    """TLS 1.3 has none; under 1.2 each one would cost a handshake."""
    with running(certificates, tmp_path, "--tls-min", "1.2") as live:
        command = ["openssl", "s_client", "-tls1_2", "-connect", f"localhost:{live.port}"]
        asked = subprocess.run(command, input=b"R\n", capture_output=True, timeout=PATIENCE, check=False)
        assert b"RENEGOTIATING" in asked.stdout + asked.stderr
        assert b"no renegotiation" in asked.stderr
        assert live.answers(GOOD)


def test_a_handshake_that_failed_and_goes_on(live: Live) -> None:
    with socket.create_connection(("localhost", live.port), PATIENCE) as client:
        client.sendall(TLS_1_1 + 10 * HELLO)
        assert client.recv(100) == ALERT_OF_VERSION
        client.sendall(HELLO)
        assert is_ended(client)
    assert live.answers(GOOD)


def exchanged(live: Live, sent: bytes) -> list[Answer]:
    """The whole responses to these bytes, until the server ends the connection; the client never does."""
    answered = b""
    with live.tls() as client:
        client.settimeout(PATIENCE)
        # A server that has refused closes while the client still sends.
        with suppress(ConnectionError):
            client.sendall(sent)
        with suppress(ConnectionError):
            while more := client.recv(65536):
                answered += more
    return read_answers(answered)


def chunked(body: bytes, size: int = MIB) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return HEAD + LAST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in parts
    ) + b"0\r\n\r\n"  # fmt: skip


LAST = b"Connection: close\r\n"
CHUNKS = HEAD + LAST + b"Transfer-Encoding: chunked\r\n"
SHAPES = {
    "two lengths": (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "two equal lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nxx", 400),
    "a list of lengths": (HEAD + b"Content-Length: 2, 2\r\n\r\nxx", 400),
    "a length with a sign": (HEAD + b"Content-Length: +2\r\n\r\nxx", 400),
    "a length of 20 digits": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\nxx", 400),
    "length and chunks": (CHUNKS + b"Content-Length: 2\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked, then another coding": (HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "an unknown coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "a coding behind a vertical tab": (HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "a coding in HTTP/1.0": (HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a chunk size that is no number": (CHUNKS + b"\r\nzz\r\n", 400),
    "a chunk size in 0x": (CHUNKS + b"\r\n0x1\r\nx\r\n0\r\n\r\n", 400),
    "a negative chunk size": (CHUNKS + b"\r\n-1\r\nx\r\n0\r\n\r\n", 400),
    "a chunk size beyond 64 bits": (CHUNKS + b"\r\n1ffffffffffffffff\r\nx", 400),
    "a chunk longer than its size": (CHUNKS + b"\r\n1\r\nxx\r\n0\r\n\r\n", 400),
    "a bare line feed behind a chunk size": (CHUNKS + b"\r\n1\nx\r\n0\r\n\r\n", 400),
    "bare line feeds": (HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 1\n\nx", 400),
    "a bare line feed in a header": (HEAD + b"X: a\nContent-Length: 2\r\n\r\nxx", 400),
    "a bare carriage return in a header": (HEAD + b"X: a\rContent-Length: 2\r\n\r\nxx", 400),
    "obs-fold": (HEAD + b"X: a\r\n b\r\n\r\n", 400),
    "obs-fold of a length": (HEAD + b"Content-Length:\r\n 2\r\n\r\nxx", 400),
    "a space before the colon": (HEAD + b"Content-Length : 2\r\n\r\nxx", 400),
    "a header without a name": (HEAD + b": x\r\n\r\n", 400),
    "NUL in a header": (HEAD + b"X: a\0b\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 404),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/2 by upgrade": (HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}", 400),
    "another path by upgrade": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI *", 404),
    "CONNECT": (b"CONNECT kubernetes.default:443 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n", 404),
    "absolute-form": (b"POST http://x/validate HTTP/1.1\r\nHost: x\r\n" + LAST + b"Content-Length: 0\r\n\r\n", 404),
    "100,000 header lines": (HEAD + 100_000 * b"X: y\r\n" + b"\r\n", 431),
    "a header line of 1 MiB": (HEAD + b"X: " + MIB * b"y" + b"\r\n\r\n", 431),
    "a path of 1 MiB": (b"POST /" + MIB * b"x" + b" HTTP/1.1\r\n\r\n", 414),
    "7 MiB in chunks": (chunked(GOOD + b" " * (7 * MIB - len(GOOD))), 200),
    "7 MiB + 1 in chunks": (chunked(GOOD + b" " * (7 * MIB + 1 - len(GOOD))), 413),
    "7 MiB + 1 with a length": (
        HEAD + LAST + b"Content-Length: %d\r\n\r\n" % (7 * MIB + 1) + b" " * (7 * MIB + 1), 413
    ),
    "gzip": (
        HEAD + LAST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(GOOD))
        + gzip.compress(GOOD), 415
    ),
    "gzip as a coding": (HEAD + LAST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "HTTP/1.0": (HEAD.replace(b"1.1", b"1.0") + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD, 200),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "status"), SHAPES.values(), ids=SHAPES)
def test_one_response_at_most_to(sent: bytes, status: int, live: Live) -> None:
    answers = exchanged(live, sent)
    assert [answer.status for answer in answers] == [status]
    assert live.answers(GOOD)


METHODS = (
    "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "COPY", "LOCK", "MOVE", "PROPFIND", "PURGE",
    "REPORT", "SEARCH", "SUBSCRIBE", "UNLINK", "M-SEARCH", "QUERY",
)  # fmt: skip


@pytest.mark.parametrize("path", ["/mutate", "/validate", "/knative"])
def test_every_wrong_method(path: str, live: Live) -> None:
    for method in METHODS:
        reply = live.send(method, path)
        assert (reply.status, reply.headers["allow"]) == (405, "POST"), method
    assert live.answers(GOOD)


PATHS = (
    "/", "//", "/mutate/", "//mutate", "/Mutate", "/mutate%2f", "/mutate;x", "/mutate/../validate", "/%6dutate", "*",
    "/healthz", "/readyz", "/metrics", "/debug/pprof", "/.git/config", "/mutate\\", "/validate#x", "mutate",
)  # fmt: skip


def test_every_wrong_path(live: Live) -> None:
    for path in PATHS:
        assert live.post(path, GOOD).status in (400, 404), path
    assert live.answers(GOOD)


TYPES = (
    "", "text/plain", "application/yaml", "application/json-patch+json", "application/jsonx", "xapplication/json",
    "application / json", "application/*", "*/*", "application/json, text/plain", "multipart/form-data; boundary=x",
    "application/vnd.kubernetes.protobuf",
)  # fmt: skip


def test_every_wrong_type(live: Live) -> None:
    for content_type in TYPES:
        assert live.post("/validate", GOOD, {"Content-Type": content_type}).status == 415, content_type
    assert live.post("/validate", GOOD, JSON).status == 200
