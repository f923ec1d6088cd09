"""The target ``streams``: one connection, its bytes in any pieces, and what happens to it meanwhile.

The first byte says how many steps follow, one byte each; the rest is what the client sends. A step is a piece of so
many bytes, or an event: a client that does not read, an answer that is given, time that passes, a server that drains.
"""

import asyncio
import zlib
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Any, Final

import httptools

from tests.fuzz.answered_requests import Answer, read_answers
from tests.fuzz.answered_reviews import hold
from tests.fuzz.faults import Faults
from webhook.admission import Response
from webhook.server.clients import ANYBODY
from webhook.server.eviction import is_stalled
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.protocol import Connection

LIMITS: Final = Limits(
    body=300,
    discard=400,
    large=64,
    large_together=0,
    request_line=120,
    header_count=8,
    header_size=200,
    head_size=1024 * 1024,
)
"""Small, so that short inputs reach them; only the size of a whole head depends on the pieces, and is not reached."""

HONEST: Final = (
    b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 70\r\n\r\n" + b"h" * 70
)
"""Its body is a large one."""

NOT_IMPLEMENTED: Final = 501
"""For a transfer coding that is not read."""
OVERLOADED: Final = 503
"""For what has waited too long, by the time that passes among the events."""
UNREADABLE: Final = (400, 414, 431)
MOST_STEPS: Final = 40
PIECES: Final = 200
"""Steps below this one are pieces of so many bytes."""


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
        self.is_read = True
        self.is_open = True

    def write(self, data: bytes) -> None:
        hold(self.is_open, "nothing is written to a closed connection", data)
        self.written += data

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def close(self) -> None:
        self.is_open = False

    abort = close

    def get_extra_info(self, name: str) -> None:
        return None


class Handler:
    """Numbers the bodies that it gets; those for Knative's path are answered when it is told to."""

    def __init__(self, loop: Loop) -> None:
        self.loop: Any = loop
        self.count = 0
        self.owed: list[tuple[asyncio.Future[Response], Response]] = []

    def answer(self, path: str, body: bytes, within: float = 0.0) -> Response | asyncio.Future[Response]:
        hold(path in ("/mutate", "/validate", "/knative"), "only reviews reach the handler", path)
        hold(len(body) <= LIMITS.body, "a body is within its limit", len(body))
        response = Response(200, "application/json", b"%d %08x" % (self.count, zlib.crc32(body)), None)
        self.count += 1
        if path != "/knative":
            return response
        answer: asyncio.Future[Response] = asyncio.Future(loop=self.loop)
        self.owed.append((answer, response))
        return answer

    def give(self, index: int) -> None:
        """Give one of the answers that are owed, not always the oldest."""
        if self.owed:
            answer, response = self.owed.pop(index % len(self.owed))
            answer.set_result(response)


class Host:
    """A worker with one connection."""

    metrics = ServerMetrics()

    def __init__(self) -> None:
        self.loop: Any = Loop()
        self.limits = LIMITS
        self.clients = ANYBODY
        self.handler: Any = Handler(self.loop)
        self.large_bodies = LargeBodies(LIMITS.large_together, self.is_stalled)
        self.monotonic = self.loop.time
        self.draining = False
        self.date = b"Thu, 01 Jan 2026 00:00:00 GMT"
        self.open: list[Connection] = []

    def is_stalled(self, connection: Connection) -> bool:
        return is_stalled(connection, self.loop.now, self.limits)

    def forget(self, connection: Connection) -> None:
        self.open.remove(connection)


class Client:
    """One connection to a host, fed as an event loop does: nothing while reading is paused or once it is lost."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.transport = Transport()
        self.connection = Connection(host)
        self.is_lost = False
        host.open.append(self.connection)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def send(self, data: bytes) -> bool:
        """True if the server took it."""
        if not data or not self.transport.is_open or not self.transport.is_read:
            return False
        self.connection.data_received(data)
        self.turn()
        return True

    def turn(self) -> None:
        """Run what is due; a closed connection is lost."""
        self.host.loop.run()
        if not self.transport.is_open and not self.is_lost:
            self.is_lost = True
            self.connection.connection_lost(None)

    def end(self) -> None:
        """Let the client read, give what is owed, and let time pass: whatever was sent, the connection ends."""
        if self.transport.is_open:
            self.connection.resume_writing()
        while self.host.handler.owed:
            self.host.handler.give(0)
            self.turn()
        for _ in range(4):
            if self.is_lost:
                break
            hold(self.connection.deadline < inf, "a connection has a deadline", self.connection.stage)
            self.host.loop.now = self.connection.deadline
            self.connection.expire()
            self.turn()
        hold(self.is_lost, "a connection ends at its deadlines", self.connection.stage)
        hold(not self.host.open, "a lost connection is forgotten", self.host.open)

    def answers(self) -> list[Answer]:
        return read_answers(self.transport.written)


def play(data: bytes, host: Host) -> tuple[list[Answer], bool]:
    """The answers to one input, and whether nothing but its pieces could influence them."""
    client = Client(host)
    count = min(data[0], MOST_STEPS) if data else 0
    steps, stream = data[1 : 1 + count], data[1 + count :]
    is_undisturbed = b"/knative" not in stream
    for step in steps:
        if step < PIECES:
            size = step + 1
            if client.send(stream[:size]):
                stream = stream[size:]
            continue
        is_undisturbed = False
        _disturb(client, step - PIECES)
    while client.send(stream[:4096]):
        stream = stream[4096:]
    client.end()
    return client.answers(), is_undisturbed


def _disturb(client: Client, event: int) -> None:
    connection, host = client.connection, client.host
    if client.is_lost:
        return
    if event < 10:
        connection.pause_writing()
    elif event < 20:
        connection.resume_writing()
    elif event < 35:
        host.handler.give(event)
    elif event < 45:
        host.loop.now += event
        if connection.deadline < host.loop.now:
            connection.expire()
    elif event < 50:
        host.draining = True
    else:
        client.transport.close()
    client.turn()


def _is_served(host: Host) -> None:
    """The next client is answered: no place is taken any more."""
    host.draining = False
    honest = Client(host)
    for piece in (HONEST[:-1], HONEST[-1:]):
        hold(honest.send(piece), "the next client is read", honest.connection.stage)
    hold([each.status for each in honest.answers()] == [200], "the next client is answered", honest.answers())


class _Counter:
    """How many whole requests the parser alone finds."""

    def __init__(self) -> None:
        self.complete = 0

    def on_message_complete(self) -> None:
        self.complete += 1


def requests_in(stream: bytes) -> _Counter:
    counter = _Counter()
    with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
        httptools.HttpRequestParser(counter).feed_data(stream)
    return counter


class Streams:
    """Plays each input on a connection of its own."""

    def __init__(self) -> None:
        self.faults = Faults()

    def close(self) -> None:
        self.faults.close()

    def check(self, data: bytes) -> None:
        """Raise if the answers on this connection break a law."""
        host = Host()
        answers, is_undisturbed = play(data, host)
        self.faults.raise_any()
        stream = data[1 + min(data[0], MOST_STEPS) :] if data else b""
        found = requests_in(stream)
        reviewed = [answer for answer in answers if answer.status == 200]
        hold(len(answers) <= found.complete + 1, "a request gets at most one response", answers)
        hold(len(reviewed) <= found.complete, "only whole requests are judged", answers)
        numbers = [int(answer.body.split()[0]) for answer in reviewed]
        hold(numbers == list(range(len(numbers))), "responses are in the order of their requests", answers)
        ours = {NOT_IMPLEMENTED} if is_undisturbed else {NOT_IMPLEMENTED, OVERLOADED}
        failed = {answer.status for answer in answers if answer.status >= 500} - ours
        hold(not failed, "the server never fails on what it reads", answers)
        hold(all(not answer.closes for answer in answers[:-1]), "nothing follows a last response", answers)
        if is_undisturbed:
            whole, _ = play(b"\0" + stream, Host())
            hold(_comparable(whole) == _comparable(answers), "the pieces change no answer", (answers, whole))
        _is_served(host)
        self.faults.raise_any()


def _comparable(answers: list[Answer]) -> list[tuple[int, bytes]]:
    """What pieces must not change; of several reasons why a request cannot be read, the first to arrive is given."""
    return [(0, b"") if each.status in UNREADABLE else (each.status, each.body) for each in answers]
