"""TLS between a TCP transport and a protocol, without sockets: how little is read and kept, whatever a client does."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from webhook.server.tls import FEW, MANY, RECORD, Buffers, Tls

LARGE = bytes(range(256)) * 4096
"""A MiB."""


class Tcp:
    """The server's socket: nothing is read of it while reading is paused, and ``room`` bytes of it can be written."""

    def __init__(self) -> None:
        self.written = b""
        self.waiting = b""
        self.room = 1 << 40
        self.is_read = True
        self.end = ""
        self.protocol: Any = None
        self.most_waiting = 64 * 1024
        self.largest = 0

    def set_write_buffer_limits(self, high: int) -> None:
        self.most_waiting = high

    def write(self, data: bytes) -> None:
        assert not self.end
        self.waiting += data
        self.largest = max(self.largest, len(data))
        self._send()
        if len(self.waiting) > self.most_waiting:
            self.protocol.pause_writing()

    def take(self) -> None:
        """The client takes everything."""
        self.room = 1 << 40
        had_to_wait = bool(self.waiting)
        self._send()
        if had_to_wait:
            self.protocol.resume_writing()

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def _send(self) -> None:
        now, self.waiting = self.waiting[: self.room], self.waiting[self.room :]
        self.room -= len(now)
        self.written += now


class Loop:
    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.due.append(callback)


class Reader:
    """Keeps what it gets; ``on_data`` is what it does then."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.pieces: list[bytes] = []
        self.in_flight = False
        self.at_once = 0
        self.calls: list[str] = []
        self.on_data: Callable[[], None] = lambda: None

    @property
    def read(self) -> bytes:
        return b"".join(self.pieces)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data: bytes | memoryview) -> None:
        self.pieces.append(bytes(data))
        self.on_data()

    def pause_writing(self) -> None:
        self.calls.append("pause")
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.calls.append("resume")
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append("lost")


class Ends:
    """A client and the server's side, after the handshake unless that is left to the test."""

    def __init__(self, certificates: Path, *, shake: bool = True, keys: Path | None = None) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
        trusting = ssl.create_default_context(cafile=certificates / "ca.crt")
        if keys is not None:
            trusting.keylog_filename = str(keys)
        self.loop, self.tcp, self.reader, self.buffers = Loop(), Tcp(), Reader(), Buffers()
        self.server = Tls(self.reader, context, self.loop, self.buffers)  # type: ignore[arg-type]
        self.tcp.protocol = self.server
        self.server.connection_made(self.tcp)  # type: ignore[arg-type]
        self.to_client, self.from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = trusting.wrap_bio(self.to_client, self.from_client, server_hostname="localhost")
        self.kernel = b""
        self.seen = 0
        if shake:
            for _ in range(3):
                with suppress(ssl.SSLWantReadError):
                    self.client.do_handshake()
                self.turn()

    def turn(self) -> None:
        """What event loop and kernel do."""
        self.kernel += self.from_client.read()
        while True:
            for callback in [self.loop.due.pop(0) for _ in self.loop.due[:]]:
                callback()
            if not (self.kernel and self.tcp.is_read and not self.tcp.end):
                break
            buffer = self.server.get_buffer(-1)
            size = min(len(buffer), len(self.kernel))
            buffer[:size] = self.kernel[:size]
            self.kernel = self.kernel[size:]
            self.server.buffer_updated(size)
        self.to_client.write(self.tcp.written[self.seen :])
        self.seen = len(self.tcp.written)

    def send(self, data: bytes) -> None:
        self.client.write(data)
        self.turn()

    def received(self) -> bytes:
        data = b""
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while more := self.client.read(1 << 20):
                data += more
        return data


@pytest.fixture
def ends(certificates: Path) -> Ends:
    return Ends(certificates)


def test_a_call_and_its_answer(ends: Ends) -> None:
    ends.reader.on_data = lambda: ends.server.write(b"answer")
    ends.send(b"call")
    assert (ends.reader.read, ends.received(), ends.reader.calls) == (b"call", b"answer", ["made"])


def test_a_handshake_in_pieces_of_one_byte(certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    for _ in range(3):
        with suppress(ssl.SSLWantReadError):
            ends.client.do_handshake()
        for byte in ends.from_client.read():
            ends.kernel = bytes([byte])
            ends.turn()
    ends.send(b"call")
    assert ends.reader.read == b"call"


def test_nothing_is_lost_of_what_comes_with_the_end_of_the_handshake(certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    for _ in range(2):
        with suppress(ssl.SSLWantReadError):
            ends.client.do_handshake()
        ends.kernel += ends.from_client.read() if ends.seen else b""
        if not ends.seen:
            ends.turn()
    ends.client.write(b"call")
    ends.turn()
    assert ends.reader.read == b"call"


def test_the_end_of_the_handshake_may_wait_for_the_client_to_take_it(certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    for _ in range(2):
        with suppress(ssl.SSLWantReadError):
            ends.client.do_handshake()
        ends.tcp.room = 0 if ends.seen else 1 << 40
        ends.turn()
    assert (ends.reader.calls, ends.tcp.is_read) == (["made", "pause"], False)
    ends.tcp.take()
    ends.send(b"call")
    assert (ends.reader.calls, ends.reader.read) == (["made", "pause", "resume"], b"call")


def test_heads_come_in_small_pieces_and_bodies_in_larger_ones(ends: Ends) -> None:
    ends.send(LARGE[:RECORD])
    assert [len(piece) for piece in ends.reader.pieces] == [4096] * 4
    ends.reader.in_flight = True
    ends.reader.pieces.clear()
    ends.send(LARGE[: 8 * RECORD])
    assert ends.reader.read == LARGE[: 8 * RECORD]
    assert max(map(len, ends.reader.pieces)) <= FEW
    ends.reader.at_once = len(LARGE)
    ends.reader.pieces.clear()
    ends.send(LARGE)
    assert ends.reader.read == LARGE
    assert MANY // 2 < max(map(len, ends.reader.pieces)) <= MANY


@pytest.mark.parametrize("size", [1, 4097, RECORD, 3 * RECORD + 7, len(LARGE)])
@pytest.mark.parametrize("cut", [1000, 16406, 100_000])
def test_records_in_any_cut_are_read_whole(size: int, cut: int, ends: Ends) -> None:
    ends.reader.in_flight, ends.reader.at_once = True, MANY
    ends.client.write(LARGE[:size])
    sent = ends.from_client.read()
    for start in range(0, len(sent), cut):
        ends.kernel += sent[start : start + cut]
        ends.turn()
    assert ends.reader.read == LARGE[:size]


def test_a_connection_that_is_paused_reads_nothing_more(ends: Ends) -> None:
    """All but what was read last stays in the kernel."""
    ends.reader.in_flight = True
    ends.reader.on_data = lambda: ends.server.pause_reading()
    ends.send(LARGE)
    read = len(ends.reader.read)
    assert (len(ends.reader.pieces), read <= FEW, len(ends.kernel) >= len(LARGE) - FEW) == (1, True, True)
    ends.turn()
    assert len(ends.reader.read) == read
    ends.reader.on_data = lambda: None
    ends.server.resume_reading()
    ends.turn()
    assert ends.reader.read == LARGE


def test_nothing_is_read_while_the_client_does_not_take_what_is_written(ends: Ends) -> None:
    ends.tcp.room = 0
    ends.reader.on_data = lambda: ends.server.write(b"x" * 1000)
    for _ in range(200):
        ends.send(b"y" * 5000)
    assert ends.reader.calls == ["made", "pause"]
    assert (len(ends.reader.pieces), len(ends.tcp.waiting) < 1200) == (1, True)
    while ends.reader.calls[-1] != "resume" or ends.kernel:
        ends.tcp.take()
        ends.turn()
    assert ends.reader.read == b"y" * 1_000_000


def test_an_exception_while_the_rest_is_read_ends_the_connection(ends: Ends) -> None:
    ends.reader.on_data = lambda: ends.server.pause_reading()
    ends.send(b"x" * 5000)

    def fails() -> None:
        raise ZeroDivisionError

    ends.reader.on_data = fails
    ends.server.resume_reading()
    with pytest.raises(ZeroDivisionError):
        ends.turn()
    assert ends.tcp.end == "aborted"


def test_a_large_response_is_written_by_records(ends: Ends) -> None:
    """OpenSSL keeps memory for the most that has ever waited to be written."""
    ends.server.write(LARGE)
    assert ends.tcp.largest < RECORD + 100
    ends.turn()
    assert ends.received() == LARGE


class KeyUpdates:
    """What OpenSSL's clients can send and those of Python cannot: records that change the key, and ask for the same."""

    KEY_UPDATE = b"\x18\x00\x00\x01\x01\x16"

    def __init__(self, ends: Ends, keys: Path) -> None:
        assert ends.client.cipher()[0] == "TLS_AES_256_GCM_SHA384"  # type: ignore[index]
        lines = [line.split() for line in keys.read_text().splitlines()]
        self.secret = next(bytes.fromhex(each[2]) for each in lines if each[0] == "CLIENT_TRAFFIC_SECRET_0")

    def record(self, plain: bytes = KEY_UPDATE) -> bytes:
        """The first record under the present key, which is followed by the next one."""
        nonce, header = self._expand(b"iv", 12), b"\x17\x03\x03" + (len(plain) + 16).to_bytes(2, "big")
        sealed = AESGCM(self._expand(b"key", 32)).encrypt(nonce, plain, header)
        self.secret = self._expand(b"traffic upd", 48)
        return header + sealed

    def _expand(self, label: bytes, length: int) -> bytes:
        info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), length, info).derive(self.secret)


def test_key_updates_are_answered(certificates: Path, tmp_path: Path) -> None:
    ends = Ends(certificates, keys=tmp_path / "keys")
    updates = KeyUpdates(ends, tmp_path / "keys")
    ends.kernel = updates.record() + updates.record() + updates.record(b"call\x17")
    ends.turn()
    ends.server.write(b"answer")
    ends.turn()
    assert (ends.reader.read, ends.received(), ends.tcp.end) == (b"call", b"answer", "")


def test_a_flood_of_key_updates_is_read_no_further_than_their_answers_are_taken(
    certificates: Path, tmp_path: Path
) -> None:
    ends = Ends(certificates, keys=tmp_path / "keys")
    updates = KeyUpdates(ends, tmp_path / "keys")
    flood = b"".join(updates.record() for _ in range(5000))
    ends.tcp.room, ends.kernel = 0, flood
    ends.turn()
    assert len(ends.kernel) >= len(flood) - FEW, "one turn, and no more while the client does not read"
    assert len(ends.tcp.waiting) <= 2 * FEW
    while ends.kernel or ends.tcp.waiting:
        ends.tcp.take()
        ends.turn()
    ends.kernel = updates.record(b"call\x17")
    ends.turn()
    assert (ends.reader.read, ends.tcp.end) == (b"call", "")


def test_a_record_that_cannot_be_read_ends_the_connection_with_an_alert(ends: Ends) -> None:
    ends.kernel = b"\x17\x03\x03\x00\x16" + b"x" * 22
    ends.turn()
    assert ends.tcp.end == "closed"
    with pytest.raises(ssl.SSLError, match="bad record mac"):
        ends.client.read()


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 300])
def test_what_is_no_handshake_ends_the_connection(first: bytes, certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    ends.kernel = first
    ends.turn()
    assert (ends.tcp.end, ends.reader.calls) == ("closed", [])


def test_closing_says_so_and_waits_for_the_client(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "stagegate.tls")
    ends.server.write(b"answer")
    ends.server.close()
    ends.turn()
    assert (ends.received(), ends.tcp.end) == (b"answer", "")
    ends.send(b"more" * 10_000)
    assert (ends.reader.read, ends.kernel, ends.tcp.end) == (b"", b"", "")
    with suppress(ssl.SSLWantReadError):
        ends.client.unwrap()
    ends.turn()
    assert ends.tcp.end == "closed"
    assert caplog.messages == [], "a client that closes in order has broken nothing"


def test_a_reader_that_closes_gets_nothing_more(ends: Ends) -> None:
    ends.reader.on_data = lambda: ends.server.close()
    ends.send(b"x" * 20_000)
    assert len(ends.reader.pieces) == 1
    ends.server.write(b"late")
    ends.turn()
    assert ends.received() == b""


def test_a_client_that_says_that_nothing_follows_is_answered_and_closed(ends: Ends) -> None:
    ends.reader.on_data = lambda: ends.server.write(b"answer")
    ends.client.write(b"call")
    with suppress(ssl.SSLWantReadError):
        ends.client.unwrap()
    ends.turn()
    assert (ends.reader.read, ends.tcp.end) == (b"call", "closed")


def test_a_client_that_says_so_with_its_call_is_closed_after_an_answer_that_is_given_later(ends: Ends) -> None:
    ends.reader.in_flight = True
    ends.reader.on_data = lambda: ends.server.pause_reading()
    ends.client.write(b"call")
    with suppress(ssl.SSLWantReadError):
        ends.client.unwrap()
    ends.turn()
    assert (ends.reader.read, ends.tcp.end) == (b"call", "")
    ends.server.write(b"answer")
    ends.server.resume_reading()
    ends.turn()
    assert (ends.received(), ends.tcp.end) == (b"answer", "closed")


def test_closing_goes_on_for_a_paused_connection(ends: Ends) -> None:
    ends.reader.on_data = lambda: ends.server.pause_reading()
    ends.send(b"x" * 50_000)
    ends.server.close()
    ends.turn()
    assert (ends.tcp.is_read, ends.kernel, len(ends.reader.pieces)) == (True, b"", 1)


@pytest.mark.parametrize("state", ["handshake", "open", "paused", "closing", "waiting to write"])
def test_aborting_ends_it_at_once(state: str, certificates: Path) -> None:
    ends = Ends(certificates, shake=state != "handshake")
    if state == "paused":
        ends.server.pause_reading()
    elif state == "closing":
        ends.server.close()
    elif state == "waiting to write":
        ends.tcp.room = 0
        ends.server.write(LARGE[:1000])
    ends.server.abort()
    assert ends.tcp.end == "aborted"
    ends.server.resume_reading()
    ends.server.close()
    ends.turn()
    ends.server.connection_lost(None)
    assert (ends.tcp.end, ends.reader.calls[-1], ends.reader.read) == ("aborted", "lost", b"")


def test_aborting_before_there_is_a_transport(certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    early = Tls(ends.reader, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ends.loop, ends.buffers)  # type: ignore[arg-type]
    early.abort()
    early.connection_made(ends.tcp)  # type: ignore[arg-type]
    assert ends.tcp.end == "aborted"


def test_a_lost_connection_is_reported_even_without_a_handshake(certificates: Path) -> None:
    ends = Ends(certificates, shake=False)
    ends.server.connection_lost(None)
    assert ends.reader.calls == ["lost"]
