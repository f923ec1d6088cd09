"""A worker with some connections, and their clients: what an event loop and a kernel do between them, in steps."""

import asyncio
import struct
import zlib
from collections.abc import Callable
from math import inf
from typing import Any, Final

from tests.fuzz.answered_requests import Answer, read_answers
from tests.fuzz.answered_reviews import hold
from webhook.admission import Response
from webhook.server.clients import ANYBODY
from webhook.server.eviction import first_to_go, is_stalled
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.protocol import Connection

LIMITS: Final = Limits(
    body=300,
    discard=400,
    large=64,
    large_together=600,
    request_line=120,
    header_count=8,
    header_size=200,
    head_size=1024 * 1024,
)
"""Small, so that short inputs reach them; only the size of a whole head depends on the pieces, and is not reached."""
ROUNDS: Final = 6
"""The most deadlines that pass until a connection ends."""


class Loop:
    """The time, and the callbacks that are due."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def call_soon(self, callback: Callable[..., Any], *arguments: Any, context: Any = None) -> None:
        self.due.append((callback, arguments))

    def run(self) -> None:
        while self.due:
            callback, arguments = self.due.pop(0)
            callback(*arguments)


class Transport:
    """The other end of a connection; nothing may be written once it is closed."""

    def __init__(self) -> None:
        self.written = b""
        self.is_read = self.is_open = True
        self.was_paused = False

    def write(self, data: bytes) -> None:
        hold(self.is_open, "nothing is written to a closed connection", data)
        self.written += data

    def pause_reading(self) -> None:
        self.is_read, self.was_paused = False, True

    def resume_reading(self) -> None:
        self.is_read = True

    def close(self) -> None:
        self.is_open = False

    abort = close

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> None:
        return None


class Handler:
    """Numbers the bodies of one client; those for Knative's path are answered when the host is told to."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def answer(self, path: str, body: bytes, within: float = 0.0) -> Response | asyncio.Future[Response]:
        hold(path in ("/mutate", "/validate", "/knative"), "only reviews reach the handler", path)
        hold(len(body) <= LIMITS.body, "a body is within its limit", len(body))
        client, host = self._client, self._client.host
        response = Response(200, "application/json", b"%d %08x" % (host.count, zlib.crc32(body)), None)
        client.calls.append((bytes(body), response.body))
        host.count += 1
        if path != "/knative":
            return response
        answer: asyncio.Future[Response] = asyncio.Future(loop=host.loop)
        host.owed.append((client, answer, response))
        return answer


class Seat:
    """A host as one connection sees it."""

    def __init__(self, client: "Client") -> None:
        self._host = client.host
        self.handler = Handler(client)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)


class Host:
    """A worker and its clients; ``count`` numbers their calls, ``owed`` are answers that are still to be given."""

    metrics = ServerMetrics()

    def __init__(self) -> None:
        self.loop: Any = Loop()
        self.limits = LIMITS
        self.clients = ANYBODY
        self.large_bodies = LargeBodies(LIMITS.large_together, self.is_stalled)
        self.monotonic = self.loop.time
        self.draining = False
        self.date = b"Thu, 01 Jan 2026 00:00:00 GMT"
        self.open: dict[Connection, Client] = {}
        self.count = 0
        self.owed: list[tuple[Client, asyncio.Future[Response], Response]] = []

    def is_stalled(self, connection: Connection) -> bool:
        return is_stalled(connection, self.loop.now, self.limits)

    def forget(self, connection: Connection) -> None:
        self.open.pop(connection, None)

    def turn(self) -> None:
        """Let the event loop do all that it can do now."""
        has_moved = True
        while has_moved:
            self.loop.run()
            moved = [client.turn() for client in list(self.open.values())]
            has_moved = any(moved)
        self._check()

    def pass_time(self, seconds: float) -> None:
        """The time is later, and the worker looks through its connections."""
        self.loop.now += seconds
        self.large_bodies.make_room()
        for connection in sorted((one for one in self.open if self._is_overdue(one)), key=lambda one: one.deadline):
            if self._is_overdue(connection):
                connection.expire()
        self.turn()

    def give(self, index: int) -> None:
        """Give one of the answers that are owed, not always the oldest."""
        if self.owed:
            _, answer, response = self.owed.pop(index % len(self.owed))
            answer.set_result(response)
        self.turn()

    def make_place(self) -> None:
        """A client comes from a third address, and the worker has as many as it can have."""
        connection = first_to_go(self.open, self.loop.now, self.limits, "c")
        if connection is not None:
            connection.abort()
        self.turn()

    def end(self) -> None:
        """All clients read, all that is owed is given, and time passes: each connection ends."""
        for client in list(self.open.values()):
            client.set_reading(True)
        for _ in range(ROUNDS * len(self.open)):
            while self.owed:
                self.give(0)
            if not self.open:
                break
            first = min(self.open, key=lambda one: one.deadline)
            hold(first.deadline < inf, "a connection has a deadline", first.stage)
            self.pass_time(max(first.deadline - self.loop.now, 0.0) + 0.01)
        hold(not self.open, "a connection ends at its deadlines", [one.stage for one in self.open])

    def _is_overdue(self, connection: Connection) -> bool:
        return bool(connection.deadline < self.loop.now)

    def _check(self) -> None:
        """A connection that is not read has a reason, and does not wait for long."""
        owed = {client for client, _, _ in self.owed}
        waiting = [one for one in self.open if one.is_waiting]
        for connection, client in self.open.items():
            may_wait = connection.is_waiting or client in owed or not client.is_reading
            is_read = client.transport.is_read or connection.stage == "closing"
            hold(is_read or may_wait, "who need not wait is read", connection.stage)
        for one in waiting:
            late = one.deadline > self.loop.now + self.limits.stall_seconds
            hold(not late, "a body waits for a second at most", one.deadline - self.loop.now)
        goes_on = any(one.in_flight and one not in waiting for one in self.open)
        hold(goes_on or not waiting, "where bodies wait, one is read on", len(waiting))


class Client:
    """One client of a host, and its socket: what it has sent lies ``unread`` in the kernel while reading is paused.

    ``calls`` are the bodies that the handler got from it, and the answers to them.
    """

    def __init__(self, host: Host, stream: bytes = b"", address: str = "") -> None:
        self.host = host
        self.stream = stream
        self.unread = b""
        self.calls: list[tuple[bytes, bytes]] = []
        self.is_reading = True
        self.transport = Transport()
        self.connection = Connection(Seat(self), self, address)  # type: ignore[arg-type]
        self._arrived = host.loop.now
        host.open[self.connection] = self
        self.connect()

    @property
    def has_more(self) -> bool:
        """True while there is something to send."""
        return bool(self.stream)

    def send(self, size: int) -> None:
        """Send the next so many bytes."""
        sent, self.stream = self.stream[:size], self.stream[size:]
        self.receive(sent)

    def damage(self) -> None:
        """Send another byte in place of the next one, where that is no other stream."""

    def finish(self) -> None:
        """Send the end of the stream, where the protocol has one."""

    def receive(self, sent: bytes) -> None:
        """What was sent is in the kernel of the server."""
        self.unread += sent
        self._arrived = self.host.loop.now
        self.host.turn()

    def turn(self) -> bool:
        """What happens to it in one turn of the event loop; True if anything happened."""
        if not self.transport.is_open:
            self.lose(None)
            return True
        if not self.unread or not self.transport.is_read:
            return False
        data, self.unread = self.unread, b""
        self.deliver(data)
        return True

    def set_reading(self, is_reading: bool) -> None:
        """Whether it reads responses, or leaves so many unread that no more can be written."""
        if self.is_reading != is_reading and self.transport.is_open:
            self.is_reading = is_reading
            self.block(blocked=not is_reading)
            self.host.turn()

    def lose(self, problem: Exception | None) -> None:
        """The connection is gone."""
        self.transport.is_open = False
        self.disconnect(problem)
        hold(self.connection not in self.host.open, "a lost connection is forgotten", self.connection.stage)

    def answers(self) -> list[Answer]:
        return read_answers(self.transport.written)

    # What its server does

    def connect(self) -> None:
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def deliver(self, data: bytes) -> None:
        self.connection.data_received(data)

    def block(self, *, blocked: bool) -> None:
        (self.connection.pause_writing if blocked else self.connection.resume_writing)()

    def disconnect(self, problem: Exception | None) -> None:
        self.connection.connection_lost(problem)

    # Its socket

    def recv(self, most: int, flags: int) -> bytes:
        if not self.unread:
            raise BlockingIOError
        return self.unread[:most]

    def setsockopt(self, level: int, option: int, value: int) -> None:
        pass

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return struct.pack("=52xI", round((self.host.loop.now - self._arrived) * 1000))
