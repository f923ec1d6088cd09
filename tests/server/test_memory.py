"""The memory of the worker stays bounded, and honest calls are answered, whatever the clients of a full server do."""

import json
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.server.live import Live, eventually, running
from tests.server.reviews import GOOD
from tests.server.test_worker import worker_of
from webhook.server.limits import Limits

LIMITS = Limits()
MIB = 1024 * 1024
KIB = 1024
HEAD = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LARGEST = HEAD + b"Content-Length: %d\r\n\r\n" % LIMITS.body
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STRANGER = "127.0.0.2"
"""The address of the hostile clients; API servers have others."""

EACH = 230 * KIB
"""Bytes of a connection: in the handshake 210 KiB, for a hello of the largest size that TLS reads. Later 25 for TLS
and objects, 43 and 17 for what is received and not decrypted, 64 of a body, 32 read when no memory was left, and waste.
"""
PARSED = 160 * MIB
"""The largest body, and Python's objects of the most values that are read."""


def resident(pid: int, which: str = "VmRSS") -> int:
    """Bytes of memory of a process, ``VmHWM`` for the most there has been."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * KIB for line in lines if line.startswith(which))


@pytest.fixture(scope="module", autouse=True)
def many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def patient(certificates: Path, tmp_path: Path) -> Iterator[Live]:
    """A new server whose deadlines are too long to help it; a process keeps memory that it once took."""
    options = ("--handshake-timeout", "600", "--header-timeout", "600", "--body-timeout", "600")
    with running(certificates, tmp_path, *options) as server:
        yield server


class Stranger:
    """A client that sends as much as is taken, and reads nothing."""

    def __init__(self, live: Live, sent: bytes, *, in_tls: bool = True) -> None:
        self._sent = memoryview(sent)
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", live.port), 60, (STRANGER, 0))
        if in_tls:
            context = live.client_context()
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")
        self._socket.setblocking(False)

    def go_on(self) -> bool:
        """Send what can be sent now; False once nothing is left to do."""
        try:
            while self._sent:
                self._sent = self._sent[self._socket.send(self._sent[: 64 * KIB]) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            return True
        except OSError:
            self._sent = memoryview(b"")
        return False

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()


def large(size: int) -> bytes:
    return GOOD + b" " * (size - len(GOOD))


HELLO_OF_MOST = b"\x16\x03\x01\x40\x00\x01\x01\xff\xff" + b"x" * 16379
"""The first record of a hello of 131,071 bytes; TLS reserves all of it."""
WAYS: dict[str, tuple[bytes, bool]] = {
    "hello": (HELLO_OF_MOST * 7, False),
    "head": (HEAD + b"X: " + b"y" * 8000 + (b"\r\nX: " + b"y" * 8000) * 2, True),
    "66 KB": (LARGEST + b" " * 66_000, True),
    "300 KB": (LARGEST + b" " * 300_000, True),
    "700 KB": (LARGEST + b" " * 700_000, True),
    "3 MB": (LARGEST + b" " * 3_000_000, True),
    "64 KiB by two bytes": (CHUNKED + b"2\r\nxx\r\n" * 32_000, True),
    "300 KB in chunks": (CHUNKED + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 75, True),
    "trailers": (CHUNKED + b"0\r\n" + (b"X: " + b"y" * 8000 + b"\r\n") * 100, True),
    "requests whose responses are not read": (b"GET / HTTP/1.1\r\n\r\n" * 50_000, True),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_full_server_of(way: str, patient: Live) -> None:
    sent, in_tls = WAYS[way]
    worker = worker_of(patient)
    assert patient.answers(GOOD)
    base = resident(worker)
    with ExitStack() as stack:
        strangers = []
        for _ in range(LIMITS.connections - 10):
            strangers.append(Stranger(patient, sent, in_tls=in_tls))
            stack.callback(strangers[-1].close)
            strangers[-1].go_on()
        slowest = 0.0
        for size in (0, MIB, 0, 3 * MIB) * 2:
            for stranger in strangers:
                stranger.go_on()
            begun = time.monotonic()
            assert patient.post("/validate?timeout=30s", large(size)).status == 200, size
            slowest = max(slowest, time.monotonic() - begun)
        taken = resident(worker, "VmHWM") - base
    print(f"{way}: {base / MIB:.0f} MiB at rest, {taken / MIB:.0f} more at most; slowest call {slowest * 1000:.0f} ms")
    assert taken < LIMITS.connections * EACH + LIMITS.large_together + LIMITS.body
    eventually(lambda: patient.metric("stagegate_connections") < 10, "they are forgotten")
    assert patient.answers(GOOD)


def dense(unit: bytes, values: int, first: bytes = b"0") -> bytes:
    """The largest review with so many values: of this unit as many as count for that, and a text."""
    marks = sum(unit.count(mark) for mark in (b",", b"{", b"["))
    review = json.loads(GOOD)
    review["request"]["object"]["x"] = "HERE"
    start, end = json.dumps(review).encode().split(b'"HERE"')
    body = start + b"[" + first + b"," + unit * ((values - 200) // marks) + '"\U0001f6d1'.encode()
    return body + b"x" * (LIMITS.body - len(body) - len(end) - 2) + b'"]' + end


@pytest.mark.parametrize("unit", [b'{"":0},', b'{"":{}},', b'"xy",', b"[[]],"])
def test_the_largest_reviews_with_as_many_values_as_are_read(unit: bytes, patient: Live) -> None:
    """Python's own parser reads what the fast one refuses; one character takes four bytes for each of a text."""
    worker = worker_of(patient)
    assert patient.answers(GOOD)
    base = resident(worker)
    for first in (b"0", b"1e999"):
        assert patient.post("/validate", dense(unit, LIMITS.values, first)).status == 200
    taken = resident(worker, "VmHWM") - base
    print(f"{unit!r}: {taken / MIB:.0f} MiB")
    assert taken < PARSED


def test_a_review_with_more_values_is_refused(patient: Live) -> None:
    assert patient.post("/validate", dense(b'{"":0},', LIMITS.values + 1000)).status == 413
    assert patient.answers(GOOD)
