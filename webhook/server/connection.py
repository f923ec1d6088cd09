"""One connection: gunicorn's protocol, with a deadline for each stage of its life."""

from typing import Any, Final, Literal, Protocol

from gunicorn.asgi.protocol import ASGIProtocol

from webhook.server.limits import Limits
from webhook.server.service import Service
from webhook.server.tally import Tally

Stage = Literal["handshake", "header", "body", "answer", "idle", "closing"]

_LATE: Final = {
    "header": "the head of the request took longer than {:g} seconds",
    "body": "the body of the request took longer than {:g} seconds",
}


class Host(Protocol):
    """What a connection needs of the worker that accepted it; gunicorn's own code needs more."""

    loop: Any
    nr: int
    limits: Limits
    tally: Tally
    service: Service

    @property
    def draining(self) -> bool: ...
    def forget(self, connection: "Connection") -> None: ...


# Gunicorn notes on the asking class that the C parser is there, and then reads it from its own: a subclass that asks
# first would never get it.
ASGIProtocol._check_h1c_protocol_available()


class Connection(ASGIProtocol):  # type: ignore[misc]
    """Knows its stage and by when it must be over; the worker looks through all connections and ends the late ones.

    One timer for all of them costs a call nothing; a timer for each costs a tenth of its time.
    """

    worker: Host

    def __init__(self, worker: Host) -> None:
        super().__init__(worker)
        self._limits = worker.limits
        self._loop_time = worker.loop.time
        self.handshake: Any = None
        self.answered = False
        self.stage: Stage = "handshake"
        self.deadline = self._loop_time() + self._limits.handshake_seconds

    def connection_made(self, transport: Any) -> None:
        self._enter("header", self._limits.header_seconds)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.forget(self)
        super().connection_lost(exc)

    def expire(self) -> None:
        """The deadline has passed: say so where an answer is still owed, and close; a close that takes long is cut."""
        if self.stage == "closing":
            self.abort()
            return
        self.worker.tally.closed[self.stage] += 1
        if self.stage in _LATE and not self.answered and self.transport is not None:
            self.worker.tally.refused[408] += 1
            self._send_error_response(408, _LATE[self.stage].format(self._seconds_of(self.stage)) + "\n")
        self.close()

    def close(self) -> None:
        """End the connection once what was written has left."""
        if self.transport is None:
            self.handshake.cancel()
            return
        self._close_transport()
        if self._request_ready is not None:
            self._request_ready.set()

    def abort(self) -> None:
        """End the connection now."""
        if self.transport is None:
            self.handshake.cancel()
        else:
            self.transport.abort()

    def _enter(self, stage: Stage, seconds: float) -> None:
        self.stage = stage
        self.deadline = self._loop_time() + seconds

    def _seconds_of(self, stage: Stage) -> float:
        return self._limits.header_seconds if stage == "header" else self._limits.body_seconds

    def _feed_callback_parser(self, data: bytes) -> Any:
        if self.stage in ("idle", "answer"):
            self._enter("header", self._limits.header_seconds)
        return super()._feed_callback_parser(data)

    def _on_headers_complete(self) -> Any:
        self.answered = False
        self._enter("body", self._limits.body_seconds)
        return super()._on_headers_complete()

    def _on_message_complete(self) -> None:
        self._enter("answer", self._limits.answer_seconds)
        super()._on_message_complete()

    def _send_response_start(self, *arguments: Any, **options: Any) -> None:
        self.answered = True
        super()._send_response_start(*arguments, **options)

    def _close_transport(self) -> None:
        self._enter("closing", self._limits.close_seconds)
        super()._close_transport()

    def _will_close(self, request: Any, response_requires_close: Any) -> bool:
        return self.worker.draining or bool(super()._will_close(request, response_requires_close))

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False

    def _arm_keepalive_timer(self) -> None:
        if self.stage != "header":
            self._enter("idle", self._limits.keep_alive_seconds)
