"""The target ``streams``: some connections to one worker, their bytes in any pieces, and what happens meanwhile.

The first byte says how many steps follow, one byte each; the rest is what the clients send, each apart from the next by
``BETWEEN``. A step is a piece of so many bytes, another client whose turn it is, or an event: a client that does not
read or is gone, an answer that is given, time that passes, a server that is full or drains.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import httptools

from tests.fuzz.answered_requests import Answer
from tests.fuzz.answered_reviews import hold
from tests.fuzz.connections import LIMITS, Client, Host
from tests.fuzz.faults import Faults

_HEAD: Final = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
HONEST: Final = _HEAD % 70 + b"h" * 70
"""Its body is a large one."""

NOT_IMPLEMENTED: Final = 501
"""For a transfer coding that is not read."""
OVERLOADED: Final = 503
"""For what has waited too long, by the time that passes among the events, or for memory."""
UNREADABLE: Final = (400, 414, 431)
BETWEEN: Final = b"\n~~\n"
MOST_CLIENTS: Final = 5
MOST_STEPS: Final = 60
PIECES: Final = 160
"""Steps below this one are pieces of so many bytes."""
TURNS: Final = 180
"""Steps from ``PIECES`` on and below this one are another client's turn; the others are events."""


def _lose(client: Client, problem: Exception | None = None) -> None:
    if client.transport.is_open:
        client.lose(problem)
        client.host.turn()


def _give(client: Client, index: int) -> None:
    client.host.handler.give(index)
    client.host.turn()


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
    _drain,
)


def taken_apart(data: bytes) -> tuple[bytes, list[bytes]]:
    """The steps and the streams of an input."""
    count = min(data[0], MOST_STEPS) if data else 0
    return data[1 : 1 + count], data[1 + count :].split(BETWEEN, MOST_CLIENTS - 1)


def put_together(steps: bytes, streams: list[bytes]) -> bytes:
    """The input with these steps and streams."""
    return bytes([len(steps)]) + steps + BETWEEN.join(streams)


def play(steps: bytes, streams: list[bytes], host: Host) -> list[Client]:
    """The clients, all of them gone after what they did."""
    clients = [Client(host, stream) for stream in streams]
    client = clients[0]
    for step in steps:
        if step < PIECES:
            client.send(step + 1)
        elif step < TURNS:
            client = clients[(step - PIECES) % len(clients)]
        else:
            EVENTS[(step - TURNS) % len(EVENTS)](client)
    for each in clients:
        while each.stream:
            each.send(4096)
    host.end()
    return clients


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


def waiting_in(host: Host) -> list[bool]:
    """Who has to wait where clients of one address take all memory that they may, one byte more, and another."""
    host.draining = False
    beyond, room, held = LIMITS.large, LIMITS.large_together // 2, []
    while room:
        held.append(min(LIMITS.body - 1 - beyond, room))
        room -= held[-1]
    clients = [Client(host, _HEAD % LIMITS.body + b"x" * (beyond + each)) for each in [*held, 1, 1]]
    for client in clients:
        client.send(4096)
    waiting = [client.connection.is_waiting for client in clients]
    for client in reversed(clients):
        client.lose(None)
    return waiting


class Streams:
    """Plays each input on a worker of its own."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.waiting = waiting_in(Host())

    def close(self) -> None:
        self.faults.close()

    def check(self, data: bytes) -> None:
        """Raise if the answers on these connections break a law."""
        steps, streams = taken_apart(data)
        host = Host()
        clients = play(steps, streams, host)
        self.faults.raise_any()
        # Nothing but its pieces could influence its answers.
        is_undisturbed = not any(step >= TURNS for step in steps)
        is_alone = is_undisturbed and not any(client.transport.was_paused for client in clients)
        for client, stream in zip(clients, streams, strict=True):
            answers = client.answers()
            _judge(client, answers, bodies_in(stream), {NOT_IMPLEMENTED} if is_alone else {NOT_IMPLEMENTED, OVERLOADED})
            if is_alone:
                (alone,) = play(b"", [stream], Host())
                whole = alone.answers()
                hold(_comparable(whole) == _comparable(answers), "the pieces change no answer", (answers, whole))
        hold(waiting_in(host) == self.waiting, "the memory of those that are gone is free", waiting_in(host))
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
    """What others must not change; of several reasons why a request cannot be read, the first to arrive is given."""
    return [(0, b"") if each.status in UNREADABLE else (each.status, _crc(each)) for each in answers]


def _crc(answer: Answer) -> bytes:
    """Without the number of a review, which counts those of all clients."""
    return answer.body.rpartition(b" ")[2] if answer.status == 200 else answer.body
