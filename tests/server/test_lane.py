"""The short lane by itself: what it reads before it answers, and where it stops reading."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from webhook.admission import Answer, EmptyLookup, Lookup, Settings
from webhook.server.gate import Gate
from webhook.server.lane import Lane, Message
from webhook.server.limits import Limits
from webhook.server.tally import Tally

LIMITS = Limits(body=100, discard=200, large=30, large_at_once=2)
HEADERS = [(b"content-type", b"application/json")]


class Client:
    """The other end of a call: hands out the parts of a body, or leaves, and keeps what it is sent."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self._parts = list(parts)
        self._ends = ends
        self.taken = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self._parts:
            return {"type": "http.disconnect"}
        part = self._parts.pop(0)
        self.taken += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(self._parts) or not self._ends}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None


def echo(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Answer:
    return Answer(200, "application/json", path.encode() + b" " + body, None)


def lane(tally: Tally | None = None) -> Lane:
    return Lane(Gate(EmptyLookup(), Settings(), tally or Tally(), examine=echo), LIMITS)


def serve(client: Client, headers: Iterable[tuple[bytes, bytes]] = HEADERS, method: str = "POST") -> Client:
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/mutate", "headers": list(headers)}
    asyncio.run(lane().serve(scope, client.receive, client.send))
    return client


@pytest.mark.parametrize(
    "parts",
    [(b"abc",), (b"a", b"b", b"c"), (b"x" * 40, b"y" * 60), (b"", b"abc")],
    ids=["one", "three", "large", "late"],
)
def test_a_body_in_any_parts_is_one_body(parts: tuple[bytes, ...]) -> None:
    client = serve(Client(*parts))
    assert client.status == 200
    assert client.sent[1]["body"] == b"/mutate " + b"".join(parts)
    assert dict(client.sent[0]["headers"])[b"content-length"] == b"%d" % len(client.sent[1]["body"])


def test_a_body_without_end_is_refused_at_the_limit_and_read_no_further_than_the_discard() -> None:
    client = serve(Client(*[b"x" * 10] * 1000))
    assert client.status == 413
    assert LIMITS.body + LIMITS.discard <= client.taken <= LIMITS.body + LIMITS.discard + 20


def test_a_length_above_the_limit_is_refused_before_the_body() -> None:
    client = Client(b"x" * 101)
    taken_at_answer: list[int] = []

    async def send(message: Message) -> None:
        taken_at_answer.append(client.taken)
        client.sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/mutate", "headers": [*HEADERS, (b"content-length", b"101")]}
    asyncio.run(lane().serve(scope, client.receive, send))
    assert client.status == 413
    assert taken_at_answer == [0, 0]
    assert client.taken == 101


@pytest.mark.parametrize("parts", [(), (b"a",), (b"x" * 40,)], ids=["at once", "in the middle", "in a large one"])
def test_a_client_that_leaves_gets_nothing(parts: tuple[bytes, ...]) -> None:
    assert serve(Client(*parts, ends=False)).sent == []


def test_few_large_bodies_are_read_at_once() -> None:
    async def scenario() -> tuple[int, list[int | None]]:
        shared, gate_open, reading = lane(), asyncio.Event(), 0

        class Slow(Client):
            async def receive(self) -> Message:
                nonlocal reading
                if self.taken > LIMITS.large:
                    reading += 1
                    await gate_open.wait()
                return await super().receive()

        clients = [Slow(b"x" * 40, b"y" * 40) for _ in range(5)]
        scope = {"type": "http", "method": "POST", "path": "/mutate", "headers": HEADERS}
        tasks = [asyncio.create_task(shared.serve(scope, each.receive, each.send)) for each in clients]
        for _ in range(20):
            await asyncio.sleep(0)
        at_once = reading
        gate_open.set()
        await asyncio.gather(*tasks)
        return at_once, [each.status for each in clients]

    assert asyncio.run(scenario()) == (LIMITS.large_at_once, [200] * 5)


def test_in_flight_comes_back_to_zero_whatever_happens() -> None:
    tally = Tally()

    def fails(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Answer:
        assert tally.in_flight == 1
        raise ZeroDivisionError

    broken = Lane(Gate(EmptyLookup(), Settings(), tally, examine=fails), LIMITS)
    client = Client(b"x")
    scope = {"type": "http", "method": "POST", "path": "/mutate", "headers": HEADERS}
    with pytest.raises(ZeroDivisionError):
        asyncio.run(broken.serve(scope, client.receive, client.send))
    assert tally.in_flight == 0
