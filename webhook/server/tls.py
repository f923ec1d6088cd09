"""TLS of one connection, between its TCP transport and its protocol, in little and bounded memory."""

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import Any, Final, Protocol

KIB: Final = 1024
RECORD: Final = 16 * KIB
"""The most that a TLS record carries, and the most that is encrypted at a time."""
FEW: Final = 32 * KIB
"""Bytes that are read at a time. OpenSSL keeps memory for a third more, for as long as the connection is open."""
MANY: Final = 256 * KIB
"""The most bytes that are read at a time of a body that is read widely. They are passed on at once."""
_HEAD: Final = 4 * KIB
"""Bytes of heads that are passed on at a time: the response to each request in them may have to be kept."""

_LOG: Final = logging.getLogger("stagegate.tls")


class Reader(Protocol):
    """The protocol above.

    ``in_flight`` while it reads a body that is not discarded, of which ``at_once`` bytes may be read together.
    """

    @property
    def in_flight(self) -> bool: ...
    @property
    def at_once(self) -> int: ...
    def connection_made(self, transport: Any) -> None: ...
    def data_received(self, data: Any) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...
    def connection_lost(self, exc: Exception | None) -> None: ...


class Buffers:
    """Where all connections of an event loop read, each in its turn: what is received, and what is in it."""

    def __init__(self) -> None:
        self.many, self.plain = memoryview(bytearray(MANY)), memoryview(bytearray(MANY))
        self.few, self.plain_few = self.many[:FEW], self.plain[:FEW]


class Tls(asyncio.BufferedProtocol):
    """The server's side of a connection. To its reader it is a transport.

    The TLS of event loops has a buffer of 256 KiB for each connection, and reads as much again from a client after its
    protocol has paused reading. Here a connection that is paused, or whose client does not take what is written, leaves
    everything in the kernel but what was read last. ``connection_lost`` is called also where the handshake failed.
    """

    def __init__(
        self, reader: Reader, context: ssl.SSLContext, loop: asyncio.AbstractEventLoop, buffers: Buffers
    ) -> None:
        self._reader = reader
        self._loop = loop
        self._buffers = buffers
        self._into = buffers.few
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Any = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._tcp: Any = None
        self._is_open = self._is_paused = self._is_blocked = self._has_ended = self._is_closing = self._is_over = False

    # Of the TCP transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = transport
        self._tcp.set_write_buffer_limits(0)
        if self._is_over:
            self._tcp.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._into

    def buffer_updated(self, nbytes: int) -> None:
        if nbytes <= FEW:
            self._incoming.write(self._buffers.many[:nbytes])
        else:
            self._read_widely(nbytes)
        self._advance()
        at_once = self._reader.at_once
        self._into = self._buffers.few if at_once <= FEW else self._buffers.many[:at_once]

    def pause_writing(self) -> None:
        self._is_blocked = True
        if self._is_open and not self._is_closing:
            self._reader.pause_writing()
        else:
            self._tcp.pause_reading()

    def resume_writing(self) -> None:
        self._is_blocked = False
        if self._is_open and not self._is_closing:
            self._reader.resume_writing()
        else:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._reader.connection_lost(exc)

    # The transport of the reader

    def get_extra_info(self, name: str) -> Any:
        """``peercert``, the client's certificate, is all that is known."""
        return self._tls.getpeercert() if name == "peercert" else None

    def write(self, data: bytes) -> None:
        """Write a record at a time: OpenSSL keeps memory for the most that has waited to be sent."""
        if self._is_closing or self._is_over:
            return
        try:
            while len(data) > RECORD:
                self._tls.write(data[:RECORD])
                self._flush()
                data = data[RECORD:]
            self._tls.write(data)
            self._flush()
        except ssl.SSLError as problem:
            self._fail(problem)

    def pause_reading(self) -> None:
        self._is_paused = True
        self._tcp.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._go_on()

    def close(self) -> None:
        """Send close_notify, and end once the client has sent its own; what it sends before that is discarded.

        A client can send for ever: the reader has to ``abort`` then.
        """
        if self._is_closing or self._is_over:
            return
        self._is_closing, self._is_paused = True, False
        self._advance()
        if not (self._is_over or self._is_blocked):
            self._tcp.resume_reading()

    def abort(self) -> None:
        """End it now."""
        self._is_over = True
        if self._tcp is not None:
            self._tcp.abort()

    # In between

    def _advance(self) -> None:
        """Go on with what has been received."""
        try:
            if not (self._is_open or self._is_over):
                self._tls.do_handshake()
                self._is_open = True
                self._reader.connection_made(self)
                self._flush()
            self._read()
            if self._is_closing and not self._is_over:
                self._discard()
                self._tls.unwrap()
                self._end()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as problem:
            self._fail(problem)

    def _read(self) -> None:
        """Pass on what has been received, as far as the reader takes it."""
        incoming, tls, reader, plain = self._incoming, self._tls, self._reader, self._buffers.plain_few
        while not (self._is_paused or self._is_closing or self._is_over):
            if self._has_ended:
                self.close()
            elif not (incoming.pending or tls.pending()):
                self._flush()
                return
            elif not reader.in_flight:
                if data := tls.read(_HEAD):
                    reader.data_received(data)
                else:
                    self._has_ended = True
            elif size := self._decrypt(plain):
                reader.data_received(plain[:size])

    def _read_widely(self, nbytes: int) -> None:
        """Pass on so much of a body at once. OpenSSL gets it in small parts, and so keeps no more memory."""
        received, plain, size = self._buffers.many, self._buffers.plain, 0
        try:
            for start in range(0, nbytes, FEW):
                self._incoming.write(received[start : min(start + FEW, nbytes)])
                size += self._decrypt(plain[size:])
        except ssl.SSLError as problem:
            self._fail(problem)
        else:
            if size:
                self._reader.data_received(plain[:size])

    def _decrypt(self, plain: memoryview) -> int:
        """Decrypt what has been received into ``plain``, and return its size; part of a record waits for the rest."""
        read, incoming, most, size = self._tls.read, self._incoming, len(plain), 0
        try:
            while True:
                more = read(most - size, plain[size:] if size else plain)
                if not more:
                    self._has_ended = True
                    break
                size += more
                if size == most or not incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        return int(size)

    def _discard(self) -> None:
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while self._tls.read(RECORD):
                pass

    def _go_on(self) -> None:
        """Read on, beginning with what has been received."""
        if self._is_blocked:
            return
        self._tcp.resume_reading()
        if self._incoming.pending or self._tls.pending() or self._has_ended:
            self._loop.call_soon(self._read_rest)

    def _read_rest(self) -> None:
        """Go on as ``buffer_updated`` does; an exception ends the connection here as well."""
        try:
            self._advance()
        except Exception:
            self.abort()
            raise

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._tcp.write(self._outgoing.read())

    def _fail(self, problem: ssl.SSLError) -> None:
        """End a connection whose client broke the protocol; the alert says why."""
        _LOG.debug("TLS ends: %s", problem)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._flush()
        self._tcp.close()
