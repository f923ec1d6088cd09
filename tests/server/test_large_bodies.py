"""The memory of large bodies: who is read on where it is short, and who gives way. Time is passed in."""

import random
from typing import Any

import pytest

from tests.server.test_protocol import HEAD, Worker
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits

LIMITS = Limits(body=1000, discard=2000, large=100, large_together=12600)
"""Seven of the largest bodies fit into what one address may take, and one is read beyond."""
ALL_BUT_ONE = 999
LITTLE = LIMITS.large + 1
PIECE = 50
"""Bytes that are read at once."""
CALL = b"POST /mutate?timeout=%ds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


class Client:
    """A client with one large call, whose body has 1000 bytes; what is sent and not read lies in the kernel."""

    def __init__(self, worker: Worker, sent: int, head: bytes = CALL % 3, address: str = "") -> None:
        self.connection, self.transport = worker.connect()
        self.connection._peer = self.connection._patience._peer = self
        self.connection.address = address
        self.unread = 0
        self.connection.data_received(head)
        self.send(sent)

    def send(self, size: int) -> None:
        self.unread += size
        self.read()

    def read(self) -> None:
        """What the event loop does."""
        while self.unread and self.is_read:
            piece = min(PIECE, self.unread)
            self.unread -= piece
            self.connection.data_received(b"x" * piece)

    @property
    def is_read(self) -> bool:
        return bool(self.transport.reading)

    @property
    def statuses(self) -> list[int]:
        return list(self.transport.statuses)

    # Its socket

    def setsockopt(self, level: int, option: int, value: int) -> None:
        pass

    def recv(self, most: int, flags: int) -> bytes:
        return b"x" * min(most, self.unread)

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return bytes(size)


@pytest.fixture
def worker() -> Worker:
    return Worker(limits=LIMITS)


def later(worker: Worker, seconds: float) -> None:
    worker.loop.now += seconds
    worker.clock.advance(seconds)
    worker.large_bodies.make_room()


def filled(worker: Worker) -> list[Client]:
    """As many clients as can be, which send all but the last byte."""
    return [Client(worker, ALL_BUT_ONE) for _ in range(8)]


# The clients that stop


@pytest.mark.parametrize("count", [8, 1000])
def test_clients_that_send_little_and_stop_keep_no_large_call_out(count: int, worker: Worker) -> None:
    strangers = [Client(worker, LITTLE) for _ in range(count)]
    honest = Client(worker, 1000)
    assert honest.statuses == [200]
    assert not any(stranger.statuses for stranger in strangers)


def test_stalled_clients_that_fill_the_memory_give_way_at_once(worker: Worker) -> None:
    strangers = filled(worker)
    later(worker, 1.1)
    honest = Client(worker, 400)
    assert honest.is_read
    ended = [stranger for stranger in strangers if stranger.statuses == [408]]
    assert len(ended) == 1, "no more than needed"
    assert not any(stranger.transport.open for stranger in ended)
    assert ended[0].transport.written.endswith(
        b"the body of the request has stalled for 1 s, and other reviews need its memory\n"
    )
    assert worker.sample("stagegate_connections_closed_total", reason="crowded") == 1
    assert worker.sample("stagegate_http_refused_total", status="408") == 1
    honest.send(600)
    assert honest.statuses == [200]


def test_stalled_clients_stay_while_nobody_needs_their_memory(worker: Worker) -> None:
    strangers = filled(worker)
    later(worker, 2)
    for stranger in strangers:
        stranger.send(1)
        assert stranger.statuses == [200]


def test_clients_that_have_just_stopped_give_way_a_second_later(worker: Worker) -> None:
    filled(worker)
    later(worker, 0.4)
    honest = Client(worker, 1000)
    assert not honest.is_read
    later(worker, 0.5)
    assert not honest.is_read
    later(worker, 0.2)
    honest.read()
    assert honest.statuses == [200]


def test_the_largest_of_those_that_are_stalled_gives_way(worker: Worker) -> None:
    stalled = [Client(worker, size) for size in (LITTLE, 999, 300)]
    later(worker, 0.5)
    strangers = [Client(worker, ALL_BUT_ONE) for _ in range(6)]
    later(worker, 0.6)
    honest = Client(worker, 400, CALL.replace(b"1000", b"600") % 3)
    assert honest.is_read
    assert [client.statuses for client in stalled] == [[], [408], []]
    assert not any(stranger.statuses for stranger in strangers)


@pytest.mark.parametrize(("piece", "is_stalled"), [(1, True), (19, True), (20, False), (100, False)])
def test_a_body_goes_on_if_it_grows_by_a_large_one_in_a_second(piece: int, is_stalled: bool, worker: Worker) -> None:
    """One byte now and then is nothing."""
    client = Client(worker, 150)
    for _ in range(5):
        later(worker, 0.1999)
        client.send(piece)
    later(worker, 0.1)
    assert worker.is_stalled(client.connection) == is_stalled


def test_bodies_that_fill_the_memory_byte_by_byte_end_in_a_second(worker: Worker) -> None:
    strangers = [Client(worker, 950) for _ in range(8)]
    honest = None
    for _ in range(16):
        later(worker, 0.1)
        for stranger in strangers:
            if stranger.connection.deadline < worker.loop.now:
                stranger.connection.expire()
            stranger.send(1)
        honest = honest or Client(worker, 1000)
        honest.read()
    assert honest is not None
    assert honest.statuses == [200]


# A server that is late


@pytest.mark.parametrize(
    ("unread", "rest", "has_unread"),
    [
        (0, 50, False),
        (49, 50, False),
        (50, 50, True),
        (1, 1, True),
        (16383, 10**6, False),
        (16384, 10**6, True),
        (16383, 16383, True),
    ],
)
def test_a_body_that_lies_in_the_kernel_is_not_stalled(
    unread: int, rest: int, has_unread: bool, worker: Worker
) -> None:
    """All of its rest does, or as much as a record of TLS carries."""
    late = Client(worker, LITTLE)
    late.connection._body.size = 1000 - rest
    late.unread = unread
    later(worker, 5)
    assert worker.is_stalled(late.connection) != has_unread


def test_a_body_without_a_length_goes_on_by_a_record_of_tls(worker: Worker) -> None:
    chunks = Client(worker, 0, HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 200)
    later(worker, 5)
    for unread, is_stalled in [(1, True), (16383, True), (16384, False)]:
        chunks.unread = unread
        assert worker.is_stalled(chunks.connection) == is_stalled


def test_late_bodies_that_fill_the_memory_are_all_answered(worker: Worker) -> None:
    """The event loop stood still for a while, and all of them have come meanwhile."""
    clients = [Client(worker, 500) for _ in range(20)]
    for client in clients:
        client.unread += 500
    later(worker, 1.4)
    while any(client.unread and client.is_read for client in clients):
        for client in clients:
            client.read()
        later(worker, 0.001)
    assert [client.statuses for client in clients] == [[200]] * 20


def test_a_client_that_does_not_read_its_responses_is_stalled_whatever_it_has_sent(worker: Worker) -> None:
    client = Client(worker, 500)
    client.connection.pause_writing()
    client.transport.reading = False
    client.send(500)
    later(worker, 1.1)
    assert worker.is_stalled(client.connection)


# Those that wait


def test_a_body_that_waits_for_a_second_is_refused_and_its_connection_goes_on(worker: Worker) -> None:
    filled(worker)
    honest = Client(worker, 1000)
    assert honest.connection.deadline == worker.loop.now + LIMITS.stall_seconds
    worker.clock.advance(1.0)
    honest.connection.expire()
    assert honest.statuses == [503]
    honest.read()
    honest.connection.data_received(HEAD + b"Content-Length: 1\r\n\r\nx")
    assert honest.statuses == [503, 200], "the rest of the body is discarded"


def test_a_body_waits_for_half_of_the_time_of_its_api_server_at_most(worker: Worker) -> None:
    filled(worker)
    hasty = Client(worker, 1000, CALL % 1)
    assert hasty.connection.deadline == worker.loop.now + 0.5


def test_a_body_that_waits_is_not_stalled(worker: Worker) -> None:
    strangers = filled(worker)
    honest = Client(worker, 1000)
    worker.loop.now += 1.1
    assert not worker.is_stalled(honest.connection)
    assert all(worker.is_stalled(stranger.connection) for stranger in strangers)


def test_a_body_that_waits_no_longer_has_the_whole_time_of_a_body(worker: Worker) -> None:
    strangers = filled(worker)
    honest = Client(worker, 400)
    later(worker, 0.9)
    strangers[7].send(1)
    assert honest.is_read
    assert honest.connection.deadline == worker.loop.now + LIMITS.body_seconds
    honest.read()
    later(worker, 0.9)
    assert not worker.is_stalled(honest.connection)


def test_a_body_whose_end_came_with_what_it_waits_for_is_answered_and_the_connection_read_on(worker: Worker) -> None:
    filled(worker)
    whole = Client(worker, 0, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    whole.connection.data_received(b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n")
    assert (whole.statuses, whole.connection.stage, whole.is_read) == ([200], "idle", True)
    assert whole.connection.deadline == worker.loop.now + LIMITS.keep_alive_seconds


def test_where_the_memory_is_short_one_is_read_on_and_then_the_others_the_newest_first(worker: Worker) -> None:
    strangers = filled(worker)
    waiting = [Client(worker, 1000) for _ in range(3)]
    reading = [[client.is_read for client in waiting]]
    waiting[1].connection.connection_lost(None)
    strangers[7].send(1)
    reading.append([client.is_read for client in waiting])
    waiting[2].read()
    reading.append([client.is_read for client in waiting])
    assert reading == [[False, False, False], [False, False, True], [True, False, True]]


def test_a_body_that_has_waited_is_read_to_its_end_whoever_comes(worker: Worker) -> None:
    """From then on it costs its whole length."""
    strangers = filled(worker)
    honest = Client(worker, 200)
    for stranger in strangers[:2]:
        stranger.connection.connection_lost(None)
    more = [Client(worker, ALL_BUT_ONE) for _ in range(9)]
    assert not all(stranger.is_read for stranger in more)
    honest.send(800)
    assert honest.statuses == [200]


# Addresses


def test_an_address_takes_half_of_what_the_others_leave(worker: Worker) -> None:
    """12,600 bytes: 6,300, then 3,150, then 1,575; each address has one body less than would be more."""
    for address, most in (("a", 7), ("b", 3), ("c", 1)):
        # Beyond that is one body of all, and those that have got no further than a piece.
        clients = [Client(worker, ALL_BUT_ONE, address=address) for _ in range(most + 3)]
        read = sum(client.is_read for client in clients)
        assert read == most + (address == "a"), address


def test_a_large_call_is_answered_at_once_whatever_clients_of_another_address_do(worker: Worker) -> None:
    strangers = [Client(worker, ALL_BUT_ONE, address="stranger") for _ in range(100)]
    for _ in range(20):
        assert Client(worker, 1000, address="api server").statuses == [200]
    assert not any(stranger.statuses for stranger in strangers)


def test_memory_goes_to_the_address_that_has_the_least(worker: Worker) -> None:
    strangers = [Client(worker, ALL_BUT_ONE, address="stranger") for _ in range(20)]
    others = [Client(worker, ALL_BUT_ONE, address="other") for _ in range(5)]
    waiting = [client for client in others if not client.is_read]
    assert waiting
    strangers[7].send(1)
    assert [client.is_read for client in waiting] == [False] * (len(waiting) - 1) + [True]
    assert not any(stranger.is_read for stranger in strangers[8:])


def test_the_stalled_of_the_address_with_the_most_give_way_first(worker: Worker) -> None:
    other = Client(worker, ALL_BUT_ONE, address="other")
    strangers = [Client(worker, 900, address="stranger") for _ in range(8)]
    later(worker, 1.1)
    Client(worker, ALL_BUT_ONE, address="stranger")
    assert any(stranger.statuses == [408] for stranger in strangers)
    assert other.statuses == []


# Wide connections


def test_few_connections_are_wide_until_they_are_closed(worker: Worker) -> None:
    """Of a wide one all that is left of a large body may be read together."""
    clients = [Client(worker, 400) for _ in range(18)]
    assert [client.connection.at_once for client in clients] == [600] * 16 + [0, 0]
    clients[0].send(600)
    assert clients[0].connection.at_once == 0, "what follows is no body"
    clients[0].connection.data_received(CALL % 3)
    assert clients[0].connection.at_once == 1000
    assert Client(worker, 400).connection.at_once == 0
    clients[0].connection.connection_lost(None)
    assert Client(worker, 400).connection.at_once == 600


@pytest.mark.parametrize(
    "head",
    [
        CALL.replace(b"1000", b"100") % 3,
        CALL.replace(b"1000", b"1001") % 3,
        CALL.replace(b"/mutate", b"/nowhere") % 3,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 255 + b"\r\n",
    ],
    ids=["small", "too large", "refused", "of a length that is not known"],
)
def test_a_connection_is_not_wide_for_a_body_that_is(head: bytes, worker: Worker) -> None:
    assert Client(worker, 50, head).connection.at_once == 0


def test_a_wide_connection_reads_little_at_once_of_a_body_whose_length_is_not_known(worker: Worker) -> None:
    client = Client(worker, 1000)
    client.connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + b"x" * 200)
    assert (client.statuses, client.connection.in_flight, client.connection.at_once) == ([200], True, 0)


# The sum


class Honest:
    """A body of so many bytes, whose client sends as long as it is read."""

    def __init__(self, bodies: LargeBodies, size: int, address: str = "") -> None:
        self.bodies, self.size, self.address = bodies, size, address
        self.held = 0
        self.is_read = True

    @property
    def rest(self) -> int:
        return self.size - self.held

    def pause_body(self) -> None:
        self.is_read = False

    def resume_body(self) -> None:
        self.is_read = True

    def give_way(self) -> None:
        raise AssertionError("nobody is stalled")

    def widen(self) -> None:
        raise AssertionError("no length is known before")

    def read(self, size: int) -> None:
        self.held = min(self.size, self.held + size)
        self.bodies.hold(self, self.held)
        if self.held == self.size:
            self.bodies.release(self)
            self.held = self.size = 0


@pytest.mark.parametrize("seed", range(20))
def test_whoever_goes_on_sending_is_read_to_the_end_in_bounded_memory(seed: int) -> None:
    """In any order: what is held stays below the room, one body, and one piece of each client."""
    chance = random.Random(seed)
    bodies = LargeBodies(49, lambda _: False)
    addresses = "abcde"[: 1 + seed % 5]
    clients = [Honest(bodies, chance.randint(1, 7), chance.choice(addresses)) for _ in range(60)]
    while any(client.size for client in clients):
        going_on = [client for client in clients if client.size and client.is_read]
        assert going_on, "somebody is always read"
        chance.choice(going_on).read(1)
        assert sum(client.held for client in clients) <= 49 + 7 + len(clients)


def test_beyond_the_room_the_first_in_line_is_read_on_alone() -> None:
    bodies = LargeBodies(20, lambda _: False)
    clients = [Honest(bodies, 9) for _ in range(5)]
    for client in clients:
        client.read(5)
    reading = [[client.is_read for client in clients]]
    for number in (2, 4):
        clients[number].read(4)
        reading.append([client.is_read for client in clients])
    assert reading == [
        [True, True, True, False, False],
        [True, True, True, False, True],
        [True, True, True, True, True],
    ]


def test_nothing_is_left_of_bodies_that_ended(worker: Worker) -> None:
    clients = [*filled(worker), *(Client(worker, size) for size in (LITTLE, 400, 1000))]
    later(worker, 1.1)
    for client in clients:
        client.connection.connection_lost(None)
    bodies: Any = worker.large_bodies
    assert (bodies._taken, bodies._taken_by, bodies._sizes, bodies._counted, bodies._waiting) == (0, {}, {}, {}, {})
    assert (bodies._granted, bodies._wide, bodies._first) == (set(), set(), None)
