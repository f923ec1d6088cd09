"""One connection by itself: what it reads before it answers, where it stops reading, and when it closes."""

import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.fake_clock import FakeClock
from webhook.admission import EmptyLookup, Lookup, Response, Settings
from webhook.server.clients import ANYBODY
from webhook.server.eviction import is_stalled
from webhook.server.handler import AdmissionHandler
from webhook.server.large_bodies import LargeBodies
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.protocol import Connection
from webhook.server.refusals import too_many_values

LIMITS = Limits(body=100, discard=200, large=30, large_together=20, write_seconds=3.0, keep_alive_seconds=120.0)
HEAD = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Loop:
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class Transport:
    """The other end: keeps what is written, and whether anything is read."""

    def __init__(self) -> None:
        self.written = b""
        self.reading = True
        self.open = True

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.open = False

    def abort(self) -> None:
        self.open = False

    def get_extra_info(self, name: str) -> None:
        return None

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.written)]


def echo(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Response:
    return Response(200, "application/json", path.encode() + b" " + body, None)


class Worker:
    """What a worker is to its connections."""

    def __init__(self, examine: Callable[..., Response] = echo, limits: Limits = LIMITS) -> None:
        self.loop: Any = Loop()
        self.limits = limits
        self.clients = ANYBODY
        self.metrics = ServerMetrics()
        self.handler = AdmissionHandler(EmptyLookup(), Settings(), self.metrics, examine=examine)
        self.clock = FakeClock()
        self.monotonic = self.clock.monotonic
        self.large_bodies = LargeBodies(limits.large_together, self.is_stalled)
        self.draining = False
        self.date = b"Thu, 01 Jan 2026 00:00:00 GMT"
        self.gone: list[Connection] = []

    def is_stalled(self, connection: Connection) -> bool:
        return is_stalled(connection, self.loop.now, self.limits)

    def forget(self, connection: Connection) -> None:
        self.gone.append(connection)

    def connect(self, kind: type[Connection] = Connection) -> tuple[Connection, Any]:
        connection, transport = kind(self), Transport()
        connection.connection_made(transport)  # type: ignore[arg-type]
        return connection, transport

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


@pytest.mark.parametrize(
    "parts", [(b"abc",), (b"a", b"b", b"c"), (b"x" * 40, b"y" * 60)], ids=["one", "three", "large"]
)
def test_a_body_in_any_parts_is_one_body(parts: tuple[bytes, ...]) -> None:
    connection, transport = Worker().connect()
    connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    for part in parts:
        connection.data_received(chunked(part))
    assert transport.written == b""
    connection.data_received(b"0\r\n\r\n")
    assert transport.written.endswith(b"\r\n\r\n/mutate " + b"".join(parts))
    assert connection.stage == "idle"


def test_a_body_without_end_is_refused_at_the_limit_and_read_no_further_than_the_discard() -> None:
    connection, transport = Worker().connect()
    connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    sent = 0
    while transport.open:
        connection.data_received(chunked(b"x" * 10))
        sent += 10
        assert sent <= LIMITS.body + LIMITS.discard
    assert transport.statuses == [413]


def test_a_length_above_the_limit_is_refused_before_the_body_and_the_next_call_is_served() -> None:
    connection, transport = Worker().connect()
    connection.data_received(HEAD + b"Content-Length: 101\r\n\r\n")
    assert transport.statuses == [413]
    connection.data_received(b"x" * 101 + HEAD + b"Content-Length: 1\r\n\r\nx")
    assert transport.statuses == [413, 200]


def test_a_refused_body_that_does_not_end_is_cut_at_its_deadline_without_a_second_answer() -> None:
    worker = Worker()
    connection, transport = worker.connect()
    connection.data_received(HEAD + b"Content-Length: 101\r\n\r\nx")
    connection.expire()
    assert (transport.statuses, transport.open) == ([413], False)
    assert worker.sample("stagegate_connections_closed_total", reason="body") == 1


@pytest.mark.parametrize("body", [b"", b"a", b"x" * 40], ids=["at once", "in the middle", "in a large one"])
def test_a_client_that_leaves_gets_nothing_and_takes_no_place(body: bytes) -> None:
    worker = Worker()
    for _ in range(4):
        connection, transport = worker.connect()
        connection.data_received(HEAD + b"Content-Length: 50\r\n\r\n" + body)
        assert connection.in_flight
        connection.connection_lost(None)
        assert (transport.written, transport.reading) == (b"", True)
    assert len(worker.gone) == 4


@pytest.mark.parametrize("part", [b"P", HEAD], ids=["a letter", "a line"])
def test_a_head_that_begins_behind_a_whole_request_has_a_deadline_of_its_own(part: bytes) -> None:
    connection, transport = Worker().connect()
    connection.data_received(HEAD + b"Content-Length: 1\r\n\r\nx" + part)
    assert (connection.stage, connection.deadline) == ("header", 1000 + LIMITS.header_seconds)
    connection.expire()
    assert (transport.statuses, transport.open) == ([200, 408], False)


@pytest.mark.parametrize("pieces", [(b"\r\n",), (b"\r\n", b"\r\n\r\n")])
def test_blank_lines_behind_a_request_begin_no_head_and_put_no_deadline_off(pieces: tuple[bytes, ...]) -> None:
    worker = Worker()
    connection, _ = worker.connect()
    connection.data_received(HEAD + b"Content-Length: 1\r\n\r\nx")
    for piece in pieces:
        worker.loop.now += 1
        connection.data_received(piece)
    assert (connection.stage, connection.deadline) == ("idle", 1000 + LIMITS.keep_alive_seconds)
    connection.data_received(HEAD)
    assert (connection.stage, connection.deadline) == ("header", worker.loop.now + LIMITS.header_seconds)


def test_a_client_that_does_not_read_is_not_read_either_and_is_closed_at_its_deadline() -> None:
    worker = Worker()
    connection, transport = worker.connect()
    transport.write = lambda data: connection.pause_writing()
    connection.data_received(HEAD + b"Content-Length: 1\r\n\r\nx")
    assert (connection.stage, transport.reading, connection.deadline) == ("write", False, 1003.0)
    connection.resume_writing()
    assert (connection.stage, transport.reading, connection.deadline) == ("idle", True, 1120.0)
    connection.data_received(HEAD + b"Content-Length: 1\r\n\r\nx" + HEAD)
    assert connection.stage == "write"
    connection.resume_writing()
    assert (connection.stage, transport.reading, connection.deadline) == ("header", True, 1005.0)
    connection.data_received(b"Content-Length: 1\r\n\r\nx")
    connection.expire()
    assert not transport.open
    assert worker.sample("stagegate_connections_closed_total", reason="write") == 1


def test_while_the_server_drains_an_answer_says_close_and_nothing_behind_it_is_read() -> None:
    worker = Worker()
    connection, transport = worker.connect()
    worker.draining = True
    connection.data_received(2 * (HEAD + b"Content-Length: 1\r\n\r\nx"))
    assert transport.statuses == [200]
    assert b"Connection: close\r\n" in transport.written
    assert not transport.open


@pytest.mark.parametrize("line", [b"HTTP/1.0\r\n", b"HTTP/1.1\r\nConnection: close\r\n"])
def test_a_client_that_does_not_stay_is_answered_and_closed(line: bytes) -> None:
    connection, transport = Worker().connect()
    head = b"POST /mutate " + line + b"Content-Type: application/json\r\nContent-Length: 1\r\n\r\nx"
    connection.data_received(head)
    assert (transport.statuses, transport.open) == ([200], False)


def test_head_gets_no_body() -> None:
    connection, transport = Worker().connect()
    connection.data_received(b"HEAD /mutate HTTP/1.1\r\nHost: x\r\n\r\n")
    assert transport.statuses == [405]
    assert transport.written.endswith(b"\r\n\r\n")


def test_an_exception_in_judging_is_an_answer_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    def fails(body: bytes, path: str, lookup: Lookup, settings: Settings) -> Response:
        raise ZeroDivisionError("judged by nothing")

    worker = Worker(fails)
    connection, transport = worker.connect()
    connection.data_received(2 * (HEAD + b"Content-Length: 1\r\n\r\nx"))
    assert transport.statuses == [500, 500]
    assert transport.open
    assert "judged by nothing" in caplog.text
    labels = {"path": "/mutate", "kind": "other", "operation": "other", "verdict": "failed"}
    assert worker.sample("stagegate_admission_reviews_total", **labels) == 2
    assert not connection.in_flight


class Broken(Connection):
    def on_url(self, url: bytes) -> None:
        raise ZeroDivisionError("read by nothing")


def test_a_fault_in_reading_is_answered_and_closed_and_logged_whole(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker()
    connection, transport = worker.connect(Broken)
    connection.data_received(HEAD)
    assert (transport.statuses, transport.open) == ([500], False)
    assert "ZeroDivisionError: read by nothing" in caplog.text
    assert worker.sample("stagegate_faults_total", loop="connections") == 1.0


def test_a_failure_answers_the_request_that_is_read_now_and_not_the_one_before() -> None:
    connection, transport = Worker().connect()
    connection.data_received(b"HEAD /mutate HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.data_received(b"POST /mutate HTTP/1.1\r\nHost: x\r\n y\r\n\r\n")
    assert b"HTTP/1.1 405 " in transport.written
    assert transport.written.count(b"not an HTTP/1.1 request") == 1


@pytest.mark.parametrize(
    "broken", [b"5\r\nhelloX", b"0\r\n" + b"X: y\r\n" * 65, b"0\r\n x\r\n"], ids=["chunk", "trailers", "folded"]
)
@pytest.mark.parametrize("draining", [False, True])
def test_a_refused_request_whose_body_cannot_be_read_gets_no_second_answer(broken: bytes, draining: bool) -> None:
    worker = Worker()
    connection, transport = worker.connect()
    worker.draining = draining
    connection.data_received(b"POST /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + broken)
    assert (transport.statuses, transport.open) == ([404], False)


CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"0\r\nX: y", b"y" * 100), (b"0\r\n", b"X: y\r\n" * 9), (b"5;x=", b"y" * 100)],
    ids=["a trailer", "trailers", "an extension of a chunk"],
)
@pytest.mark.parametrize("head", [CHUNKS, CHUNKS.replace(b"/mutate", b"/nowhere")], ids=["read", "refused"])
def test_what_has_no_end_within_a_body_is_read_no_further_than_a_head(head: bytes, start: bytes, more: bytes) -> None:
    limits = Limits(head_size=1000)
    connection, transport = Worker(limits=limits).connect()
    connection.data_received(head + chunked(b"{}") + start)
    sent = 0
    while transport.open:
        connection.data_received(more)
        sent += len(more)
        assert sent <= limits.head_size + len(more)
    assert transport.statuses == [404 if b"nowhere" in head else 431]


def test_small_chunks_take_no_more_memory_than_one_body() -> None:
    connection, _ = Worker(limits=Limits()).connect()
    connection.data_received(CHUNKS)
    tracemalloc.start()
    try:
        for _ in range(64):
            connection.data_received(chunked(*[b"xy"] * 512))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2 * 64 * 1024


def test_nothing_of_a_head_is_kept_while_its_body_is_read() -> None:
    connection, _ = Worker(limits=Limits()).connect()
    tracemalloc.start()
    try:
        connection.data_received(HEAD + b"X: " + b"y" * 8000 + b"\r\n")
        connection.data_received(b"Content-Length: 10\r\n\r\n")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 8000


def test_what_is_no_request_behind_a_refused_one_is_refused_too() -> None:
    connection, transport = Worker().connect()
    connection.data_received(b"GET /nowhere HTTP/1.1\r\n\r\n\0\r\n")
    assert (transport.statuses, transport.open) == ([404, 400], False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" + b"0," * 98 + b"0]", 200),
        (b"[" + b"0," * 100 + b"0]", 413),
        (b"[[]," + b"{}," * 49 + b"0]", 413),
        (b"[" * 101, 413),
        (b"x" * 3000, 200),
    ],
)
def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(body: bytes, status: int) -> None:
    connection, transport = Worker(limits=Limits(values=100)).connect()
    connection.data_received(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert (transport.statuses, connection.stage) == ([status], "idle")
    assert transport.written.endswith(b"the body has more than 100 values\n") == (status == 413)


@pytest.mark.parametrize("count", [2, 63, 64, 65, 66, 5000, 100_000])
@pytest.mark.parametrize("gap", [0, 1, 70_000])
def test_values_are_counted_exactly(count: int, gap: int) -> None:
    """Few are counted in another way than many, and in pieces."""
    body = b"[" + b" " * gap + b"00," * (count - 1) + b" " * gap + b"0]"
    assert too_many_values(body, count) is None
    assert too_many_values(body, count - 1) is not None
