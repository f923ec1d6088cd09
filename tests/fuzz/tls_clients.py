"""Clients that speak TLS with the server: what they send is cut, and damaged, as the bytes of TLS."""

import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from certs.authority import make_authority
from certs.context import LiveContext
from certs.leaf import make_leaf
from tests.fuzz.answered_requests import Answer, read_answers
from tests.fuzz.connections import Client, Host
from webhook.server import tls
from webhook.server.tls import Buffers, Tls

_RECORD: Final = 150
"""Bytes of the stream in a record, so that a body has many."""

_SMALL: Final = {"FEW": 64, "MANY": 1024, "_HEAD": 100, "RECORD": 100}
"""How much the server reads and writes at a time here, so that short inputs reach all of its branches."""
_USUAL: Final = {name: getattr(tls, name) for name in _SMALL}


def take_little(*, is_little: bool) -> None:
    """Let every server in this process read and write little at a time, or as much as it does."""
    vars(tls).update(_SMALL if is_little else _USUAL)


@cache
def _buffers(few: int, many: int) -> Buffers:
    return Buffers()


@cache
def _server_context() -> ssl.SSLContext:
    now, day = datetime.now(UTC), timedelta(days=1)
    live = LiveContext("1.2")
    live.load(make_leaf(make_authority(now, day), ["localhost"], now, day), now)
    return live.context


@cache
def _client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    return context


class TlsClient(Client):
    """A client that takes every step of the protocol as soon as it can, with TLS 1.2 or 1.3."""

    def __init__(self, host: Host, stream: bytes, address: str, version: ssl.TLSVersion) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = _client_context(version).wrap_bio(self._incoming, self._outgoing)
        self._encrypted = self._received = b""
        self._taken = 0
        self._is_shaken = self._has_ended = False
        super().__init__(host, stream, address)

    @property
    def has_more(self) -> bool:
        self._advance()
        return bool(self._encrypted)

    def send(self, size: int) -> None:
        self._advance()
        sent, self._encrypted = self._encrypted[:size], self._encrypted[size:]
        self.receive(sent)

    def damage(self) -> None:
        """The next byte is another one."""
        self._advance()
        if self._encrypted:
            self._encrypted = bytes([self._encrypted[0] ^ 0xFF]) + self._encrypted[1:]

    def finish(self) -> None:
        """Send close_notify after what was sent so far."""
        self._advance()
        self.stream = b""
        self._end()

    def answers(self) -> list[Answer]:
        self._advance()
        return read_answers(self._received)

    def connect(self) -> None:
        self._server = Tls(self.connection, _server_context(), self.host.loop, _buffers(tls.FEW, tls.MANY))
        self.connection.tls = self._server
        self._server.connection_made(self.transport)  # type: ignore[arg-type]

    def deliver(self, data: bytes) -> None:
        while data and self.transport.is_open and self.transport.is_read:
            buffer = self._server.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            self._server.buffer_updated(size)
        self.unread = data + self.unread

    def block(self, *, blocked: bool) -> None:
        (self._server.pause_writing if blocked else self._server.resume_writing)()

    def disconnect(self, problem: Exception | None) -> None:
        self._server.connection_lost(problem)

    def _advance(self) -> None:
        """Take what the server has written, and encrypt what is next to be sent."""
        self._incoming.write(self.transport.written[self._taken :])
        self._taken = len(self.transport.written)
        try:
            if not self._is_shaken:
                self._client.do_handshake()
                self._is_shaken = True
            while self.stream:
                self._client.write(self.stream[:_RECORD])
                self.stream = self.stream[_RECORD:]
            while data := self._client.read(4096):
                self._received += data
            self._end()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # Bytes were damaged, and one side could not read them.
            self.stream = b""
        self._encrypted += self._outgoing.read()

    def _end(self) -> None:
        if self._is_shaken and not self._has_ended:
            self._has_ended = True
            with suppress(ssl.SSLError):
                self._client.unwrap()
            self._encrypted += self._outgoing.read()
