"""The target ``streams``: some connections to one worker, their bytes in any pieces, and what happens meanwhile.

The first byte says how many steps follow, one byte each, and whether the clients speak TLS; the rest is what they send,
each apart from the next by ``BETWEEN``. A step is a piece of so many bytes, another client's turn, or an event:
a client that does not read or is gone, an answer that is given, time that passes, a server that is full or drains.
"""

from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ssl import TLSVersion
from time import process_time
from typing import Final, NamedTuple

import httptools

from tests.fuzz.answered_requests import Answer
from tests.fuzz.answered_reviews import hold
from tests.fuzz.connections import LIMITS, Client, Host
from tests.fuzz.faults import Faults
from tests.fuzz.tls_clients import TlsClient, take_little

_HEAD: Final = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HONEST: Final = _HEAD % 70 + b"h" * 70
"""Its body is a large one."""

NOT_IMPLEMENTED: Final = 501
"""For a transfer coding that is not read."""
OVERLOADED: Final = 503
"""For a request that has waited too long: time passes among the events, and bodies wait for memory."""
MOST_SECONDS: Final = 1.0
"""Of CPU, with atheris counting branches."""
UNREADABLE: Final = (400, 414, 431)
_TLS: Final = 128
BETWEEN: Final = b"\n~~\n"
MOST_CLIENTS: Final = 5
MOST_STEPS: Final = 100
PIECES: Final = 160
"""Steps below this one are pieces of so many bytes."""
TURNS: Final = 180
"""Steps from ``PIECES`` on and below this one are another client's turn; the others are events."""


def _lose(client: Client, problem: Exception | None = None) -> None:
    if client.transport.is_open:
        client.lose(problem)
        client.host.turn()


def _give(client: Client, index: int) -> None:
    client.host.give(index)


def _drain(client: Client) -> None:
    client.host.draining = True


def _pass_time(client: Client, seconds: float) -> None:
    client.host.pass_time(seconds)


EVENTS: Final[tuple[Callable[[Client], None], ...]] = (
    lambda client: client.set_reading(False),
    lambda client: client.set_reading(True),
    partial(_give, index=0),
    partial(_give, index=1),
    partial(_pass_time, seconds=0.3),
    partial(_pass_time, seconds=0.3),
    partial(_pass_time, seconds=1.1),
    partial(_pass_time, seconds=4.0),
    partial(_pass_time, seconds=45.0),
    lambda client: client.host.make_place(),
    _lose,
    partial(_lose, problem=ConnectionResetError()),
    lambda client: client.damage(),
    lambda client: client.finish(),
    _drain,
)


def size_of(step: int) -> int:
    """The bytes of the piece that a step stands for: each number up to 120, then by 40 up to 1,720."""
    return step + 1 if step < 120 else 40 * (step - 116)


class Input(NamedTuple):
    """An input, taken apart. ``speaks_tls``: the clients do."""

    steps: bytes
    streams: list[bytes]
    speaks_tls: bool = False

    @classmethod
    def of(cls, data: bytes) -> "Input":
        first = data[0] if data else 0
        count = min(first & ~_TLS, MOST_STEPS)
        return cls(data[1 : 1 + count], data[1 + count :].split(BETWEEN, MOST_CLIENTS - 1), bool(first & _TLS))

    def together(self) -> bytes:
        """As bytes."""
        first = len(self.steps) | (_TLS if self.speaks_tls else 0)
        return bytes([first]) + self.steps + BETWEEN.join(self.streams)


def play(given: Input, host: Host) -> list[Client]:
    """The clients, all of them gone after what they did."""
    clients = [_client(given, host, number) for number in range(len(given.streams))]
    client = clients[0]
    for step in given.steps:
        if step < PIECES:
            client.send(size_of(step))
        elif step < TURNS:
            client = clients[(step - PIECES) % len(clients)]
        else:
            EVENTS[(step - TURNS) % len(EVENTS)](client)
    for each in clients:
        while each.has_more:
            each.send(4096)
    host.end()
    return clients


def _client(given: Input, host: Host, number: int) -> Client:
    """The fourth has another address than the others, and the second an older TLS."""
    stream, address = given.streams[number], "ab"[number % 2 if number > 1 else 0]
    if given.speaks_tls:
        return TlsClient(host, stream, address, TLSVersion.TLSv1_2 if number == 1 else TLSVersion.TLSv1_3)
    return Client(host, stream, address)


class _Parsed:
    """The bodies of the whole requests that the parser alone finds."""

    def __init__(self) -> None:
        self.complete: list[bytes] = []
        self._body = b""

    def on_message_begin(self) -> None:
        self._body = b""

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self.complete.append(self._body)


def bodies_in(stream: bytes) -> list[bytes]:
    parsed = _Parsed()
    with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
        httptools.HttpRequestParser(parsed).feed_data(stream)
    return parsed.complete


def has_room(host: Host, size: int) -> bool:
    """True if clients can hold so much of large bodies, and two more a byte each, without one that waits."""
    host.draining = False
    held = [
        min(LIMITS.body - 1 - LIMITS.large, size - start) for start in range(0, size, LIMITS.body - 1 - LIMITS.large)
    ]
    clients = [Client(host, _HEAD % LIMITS.body + b"x" * (LIMITS.large + each)) for each in (*held, 1, 1)]
    for client in clients:
        client.send(4096)
    waits = any(client.connection.is_waiting for client in clients)
    for client in reversed(clients):
        client.lose(None)
    return not waits


class Streams:
    """Plays each input on a worker of its own."""

    def __init__(self) -> None:
        self.faults = Faults()
        take_little(is_little=True)
        sizes = range(LIMITS.large_together + 1)
        self.full = bisect_left(sizes, True, key=lambda size: not has_room(Host(), size))
        """The least that one address may not hold."""

    def close(self) -> None:
        take_little(is_little=False)
        self.faults.close()

    def check(self, data: bytes) -> None:
        """Raise if the answers on these connections break a law."""
        given, host = Input.of(data), Host()
        begun = process_time()
        clients = play(given, host)
        seconds = process_time() - begun
        self.faults.raise_any()
        hold(seconds <= MOST_SECONDS, "streams are read in bounded time", f"{seconds:.2f} s for {len(data)} bytes")
        # Nothing but its pieces could influence its answers.
        is_undisturbed = not any(step >= TURNS for step in given.steps)
        is_alone = is_undisturbed and not any(client.transport.was_paused for client in clients)
        for client, stream in zip(clients, given.streams, strict=True):
            answers = client.answers()
            _judge(client, answers, bodies_in(stream), {NOT_IMPLEMENTED} if is_alone else {NOT_IMPLEMENTED, OVERLOADED})
            if is_alone:
                (alone,) = play(Input(b"", [stream]), Host())
                whole = alone.answers()
                hold(_comparable(whole) == _comparable(answers), "the pieces change no answer", (answers, whole))
        hold(has_room(host, self.full - 1), "the memory of those that are gone is free", self.full)
        hold(not has_room(host, self.full), "nothing is freed that was not held", self.full)
        _is_served(host)
        self.faults.raise_any()


def _judge(client: Client, answers: list[Answer], bodies: list[bytes], ours: set[int]) -> None:
    """The laws of one connection; ``bodies`` are those of the whole requests on it."""
    reviewed = [answer.body for answer in answers if answer.status == 200]
    hold(len(answers) <= len(bodies) + 1, "a request gets at most one response", answers)
    rest = iter(bodies)
    judged = [body for body, _ in client.calls]
    hold(all(any(body == each for each in rest) for body in judged), "only whole requests are judged", judged)
    given = [answer for _, answer in client.calls]
    hold(reviewed == given[: len(reviewed)], "responses are in the order of their requests", answers)
    failed = {answer.status for answer in answers if answer.status >= 500} - ours
    hold(not failed, "the server never fails on what it reads", answers)
    hold(all(not answer.closes for answer in answers[:-1]), "nothing follows a last response", answers)


def _is_served(host: Host) -> None:
    """The next client is answered: no place is taken any more."""
    honest = Client(host, HONEST)
    for size in (len(HONEST) - 1, 1):
        honest.send(size)
    hold([each.status for each in honest.answers()] == [200], "the next client is answered", honest.answers())


def _comparable(answers: list[Answer]) -> list[tuple[int, bytes]]:
    """What other pieces must not change. Of several reasons why it cannot be read, the first to arrive is given."""
    return [(0, b"") if each.status in UNREADABLE else (each.status, _crc(each)) for each in answers]


def _crc(answer: Answer) -> bytes:
    """Without the number of a review, which counts those of all clients."""
    return answer.body.rpartition(b" ")[2] if answer.status == 200 else answer.body
