"""One HTTP/1.1 connection: bytes to a whole request, the handler's answer to bytes, a deadline for each stage."""

import asyncio
import logging
from math import inf
from typing import TYPE_CHECKING, Any, Final

import httptools

from webhook.admission import Response
from webhook.server import kernel_buffers
from webhook.server.body import Body
from webhook.server.connection_host import Host
from webhook.server.eviction import Stage
from webhook.server.head import CONTINUE, LINE_TYPE, UNREAD, Refusal, refuse, response, too_large
from webhook.server.head_parts import HeadParts
from webhook.server.overload import EARLY, LATE, Patience
from webhook.server.pending_responses import Later, PendingResponses
from webhook.server.refusals import stalled, too_many_values, too_slow, unreadable

if TYPE_CHECKING:
    from webhook.server.tls import Tls

_LOG: Final = logging.getLogger("stagegate.http")


class Connection(asyncio.Protocol):
    """Reads requests one after the other and answers each in the moment its last byte arrives, or in its turn.

    While the handler has not answered, nothing more is read, and the answers to what was read already wait.
    The worker looks through all connections and calls ``expire`` on those past their deadline: one timer for all of
    them costs a call nothing. A request that is refused is answered at once; the rest of its body is read and
    discarded, up to a bound, since a client that is still sending would miss an answer that ends the connection.
    """

    def __init__(self, host: Host, peer: Any = None, address: str = "") -> None:
        """``peer`` is the socket, ``address`` that of the client."""
        self._host = host
        self._peer = peer
        self.address = address
        self._patience = Patience(host.monotonic, peer)
        self._limits = host.limits
        self._time = host.loop.time
        self._transport: Any = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self.tls: Tls | None = None
        self.stage: Stage = "handshake"
        self.since = self._time()
        self.deadline = self.since + self._limits.handshake_seconds
        self._parts, self._head = HeadParts(self._limits), UNREAD
        self._body = Body(host.large_bodies, self, self._limits.body)
        self._refused = self._may_be_wide = False
        self._stranger: Refusal | None = None
        self._write_paused = False
        self._pending = PendingResponses()

    @property
    def in_flight(self) -> bool:
        """True while the body of a review is read."""
        return self.stage == "body" and not self._refused

    @property
    def is_waiting(self) -> bool:
        return self._body.is_waiting

    @property
    def at_once(self) -> int:
        """How many bytes of a large body may be read together; nothing but the body is in them."""
        return self._body.known_rest if self._may_be_wide and self.in_flight else 0

    @property
    def rest(self) -> int:
        """How many bytes of the body are not there yet at most."""
        return self._body.most_rest

    @property
    def has_unread(self) -> bool:
        """True if more of the body is here and will be read."""
        return not self._write_paused and self._patience.has_unread(self._body.rest)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._stranger = self._host.clients.refusal(transport.get_extra_info("peercert"))
        self._enter("header", self._limits.header_seconds)

    def data_received(self, data: bytes) -> None:
        if self.stage == "closing":
            return
        if self.stage == "header":
            self._parts.size += len(data)
        if self.stage != "body":
            self._patience.read()
        size = self._body.size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request that asked for another protocol has been answered; what follows it is no HTTP.
            self.close()
        except httptools.HttpParserCallbackError:
            _LOG.exception("a fault in reading a request; its connection is closed")
            self._host.metrics.faulted("connections")
            self._fail(Refusal(500, "the server failed on this request; its log says why"))
        except httptools.HttpParserError as error:
            self._fail(unreadable(error))
        if self.stage == "body":
            # Trailers, and what stands beside the size of a chunk, have no other bound.
            self._parts.size = self._parts.size + len(data) if self._body.size == size else 0
        if self.stage in ("header", "body") and (refusal := self._parts.too_large()):
            self._fail(refusal)

    def pause_writing(self) -> None:
        self._write_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._write_paused = False
        if self.stage == "write":
            self._await_request()
        self._read_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pending.clear()
        self._body.end()
        self._parser = self._transport = self.tls = None  # They refer back: a cycle of 50 KB.
        self._host.forget(self)

    # The worker

    def expire(self) -> None:
        """The deadline has passed: respond if a request is unanswered, and close; a slow close is cut off."""
        if self.stage == "closing":
            self.abort()
        elif self.is_waiting:
            self._body.drop()
            self._refuse(self._patience.refusal())
            self.resume_body()
        else:
            self._host.metrics.closed(self.stage)
            if refusal := too_slow(self.stage, self._limits):
                self._fail(refusal)
            self.close()

    def close(self) -> None:
        """End the connection once what was written has left."""
        if self._transport is None:
            if self.tls is not None:
                self.tls.abort()
            return
        self._enter("closing", self._limits.close_seconds)
        if not self._pending:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is None:
            self.close()
        else:
            self._transport.abort()

    def pause_body(self) -> None:
        """Wait until there is memory; what waits for too long is refused."""
        self._transport.pause_reading()
        self.deadline = min(self.deadline, self._time() + min(self._patience.left(EARLY), self._limits.stall_seconds))

    def resume_body(self) -> None:
        """Read on; the time of the body begins anew."""
        if self.stage == "body":
            self._enter("body", self._limits.body_seconds)
        self._read_on()

    def widen(self) -> None:
        """Read much at a time of large bodies."""
        self._may_be_wide = True
        kernel_buffers.widen(self._peer)

    def give_way(self) -> None:
        """End a stalled request."""
        self._host.metrics.closed("crowded")
        self._fail(stalled(self._limits.stall_seconds))

    # httptools, for each request in turn

    def on_message_begin(self) -> None:
        self._parts.begin()
        self._patience.begin()
        if self.stage == "idle":
            self._await_request()
        self._head = UNREAD
        self._body.begin()
        self._refused = False

    def on_url(self, url: bytes) -> None:
        if refusal := self._parts.add_url(url):
            self._fail(refusal)

    def on_header(self, name: bytes, value: bytes) -> None:
        if refusal := self._parts.add_header(name, value):
            self._fail(refusal)

    def on_headers_complete(self) -> None:
        if self.stage == "closing":
            return
        self._head = head = self._parts.whole(self._parser.get_method())
        self._enter("body", self._limits.body_seconds)
        refusal = self._stranger or refuse(head, self._limits.body) or self._patience.overdue(EARLY, head.query)
        self._body.expect(head.content_length, inf if refusal else self._limits.large)
        if refusal is not None:
            self._refuse(refusal)
        elif head.expects_continue and self._parser.get_http_version() == "1.1":
            self._pending.send(CONTINUE, self._transport)

    def on_body(self, chunk: bytes) -> None:
        if self.stage == "closing":
            return
        body, limits = self._body, self._limits
        body.add(chunk, discard=self._refused)
        if self._refused:
            if body.size > limits.discard:
                self.close()
        elif body.size > limits.body:
            body.drop()
            self._refuse(too_large(limits.body))
        elif body.size > limits.large and body.hold(limits.large):
            self.since = max(self.since, self._time())

    def on_message_complete(self) -> None:
        if self.stage == "closing":
            return
        closes = self._closes()
        if not self._refused:
            body = self._body.whole()
            refusal = self._patience.overdue(LATE) or too_many_values(body, self._limits.values)
            answer = None if refusal else self._host.handler.answer(self._head.path, body, self._patience.left())
            if refusal is not None:
                self._refuse(refusal)
            elif isinstance(answer, Response):
                self._respond(answer.status, answer.content_type, answer.body, closes=closes)
            elif answer is not None:
                self._transport.pause_reading()
                self._pending.append(Later(answer, closes))
                answer.add_done_callback(self._settle)
        if closes:
            self.close()
        else:
            self._answered()

    # Answers

    def _answered(self) -> None:
        """The request was answered, or will be."""
        if self._pending:
            self._enter("answer", inf)
        elif self._write_paused:
            self._enter("write", self._limits.write_seconds)
        else:
            self._await_request()

    def _await_request(self) -> None:
        """Nothing is left to answer; part of the next head may be here. Blank lines before it are none."""
        if self._parts.has_begun:
            self._enter("header", self._limits.header_seconds)
        else:
            self._enter("idle", self._limits.keep_alive_seconds)

    def _settle(self, _answer: asyncio.Future[Response]) -> None:
        """Write what is pending; a connection whose response cannot be written would wait for ever."""
        try:
            self._write_pending()
        except Exception:
            _LOG.exception("a fault in writing a response; its connection is closed")
            self._host.metrics.faulted("connections")
            self._pending.clear()
            self.abort()

    def _write_pending(self) -> None:
        """Write what is pending, up to the next response that is not given yet."""
        if not self._pending:
            return
        for data in self._pending.ready(self._host.date, draining=self._host.draining):
            self._transport.write(data)
        if self._pending:
            return
        if self.stage == "closing" or self._host.draining:
            self.close()
            return
        self._read_on()
        if self.stage == "answer":
            self._answered()
        else:
            # Part of the next request is here, and its time begins now.
            self._enter(self.stage, self._limits.body_seconds)
            if self.is_waiting:
                self.pause_body()

    def _refuse(self, refusal: Refusal, *, closes: bool = False) -> None:
        """Respond before the body is read; the connection stays open, unless it ``closes``."""
        self._refused = True
        self._host.metrics.refused(refusal.status)
        self._respond(refusal.status, LINE_TYPE, refusal.body, allow=refusal.allow, closes=closes or self._closes())

    def _fail(self, refusal: Refusal) -> None:
        """Close since the request cannot be read further; respond first, unless it has been refused already."""
        if self.stage == "closing":
            return
        self._body.drop()
        if not self._refused:
            self._refuse(refusal, closes=True)
        self.close()

    def _respond(self, status: int, content_type: str, body: bytes, *, closes: bool, allow: str = "") -> None:
        bare, date = self._head.method == "HEAD", self._host.date
        data = response(status, content_type, body, date, allow=allow, close=closes, bare=bare)
        self._pending.send(data, self._transport)

    def _closes(self) -> bool:
        return self._host.draining or not self._parser.should_keep_alive()

    def _enter(self, stage: Stage, seconds: float) -> None:
        self.stage = stage
        self.since = inf if self._pending else self._time()
        self.deadline = self.since + seconds

    def _read_on(self) -> None:
        """Resume reading unless the client has to read first, large bodies to end, or a response to be given."""
        if not (self._write_paused or self.is_waiting or self._pending):
            self._transport.resume_reading()
