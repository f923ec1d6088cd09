"""Answers that the handler gives later: in their turn, and nothing is read or closed before they are written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.server.test_protocol import HEAD, LIMITS, Transport, Worker
from webhook.admission import Response
from webhook.server.protocol import Connection

ONE = b"Content-Length: 1\r\n\r\n"
LAST = b"Connection: close\r\n"


class Answers:
    """A handler that answers at once, or later where the body is a digit."""

    def __init__(self) -> None:
        self.owed: dict[bytes, asyncio.Future[Response]] = {}

    def answer(self, path: str, body: bytes, within: float = 0.0) -> Response | asyncio.Future[Response]:
        if not body.isdigit():
            return given(body)
        self.owed[body] = asyncio.get_running_loop().create_future()
        return self.owed[body]

    async def give(self, *bodies: bytes) -> None:
        for body in bodies:
            self.owed[body].set_result(given(body))
        await asyncio.sleep(0)


def given(body: bytes) -> Response:
    return Response(200, "application/json", b"<" + body + b">", None)


def calls(bodies: bytes, more: bytes = b"") -> bytes:
    return b"".join(HEAD + more + ONE + bodies[index : index + 1] for index in range(len(bodies)))


def answered(transport: Transport) -> bytes:
    """The bodies of the answers, in the order in which they were written."""
    return b"".join(part[:1] for part in transport.written.split(b"\r\n\r\n<")[1:])


Script = Callable[[Worker, Answers, Connection, Any], Awaitable[None]]


def played(script: Script) -> None:
    async def play() -> None:
        worker, answers = Worker(), Answers()
        worker.handler = answers  # type: ignore[assignment]
        await script(worker, answers, *worker.connect())

    asyncio.run(play())


def test_a_fault_in_writing_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> Any:
        raise KeyError("a fault")

    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1"))
        monkeypatch.setattr("webhook.server.pending_responses.response", fails)
        await answers.give(b"1")
        assert (transport.written, transport.open) == (b"", False)
        assert worker.sample("stagegate_faults_total", loop="connections") == 1.0

    played(script)


@pytest.mark.parametrize(
    ("sent", "given_in_order", "written"),
    [
        (b"a1b", [(b"1",)], [b"a", b"a1b"]),
        (b"12", [(b"2",), (b"1",)], [b"", b"", b"12"]),
        (b"1a2b", [(b"1",), (b"2",)], [b"", b"1a", b"1a2b"]),
        (b"12", [(b"1", b"2")], [b"", b"12"]),
    ],
)
def test_answers_are_written_in_the_order_of_their_requests(
    sent: bytes, given_in_order: list[tuple[bytes, ...]], written: list[bytes]
) -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(sent))
        seen = [answered(transport)]
        for bodies in given_in_order:
            await answers.give(*bodies)
            seen.append(answered(transport))
        assert seen == written
        assert (connection.stage, transport.open, transport.reading) == ("idle", True, True)

    played(script)


def test_nothing_more_is_read_until_the_answer_is_written_and_no_deadline_runs() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1"))
        assert (connection.stage, transport.reading, connection.deadline) == ("answer", False, float("inf"))
        connection.resume_writing()
        assert not transport.reading
        await answers.give(b"1")
        assert (connection.stage, transport.reading, connection.deadline) == ("idle", True, 1120.0)

    played(script)


def test_a_request_that_came_in_part_gets_its_whole_time_once_the_answer_before_it_is_written() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1") + HEAD + b"Content-Length: 2\r\n\r\na")
        assert connection.deadline == float("inf")
        worker.loop.now += 60
        await answers.give(b"1")
        assert (connection.stage, connection.deadline) == ("body", 1060 + LIMITS.body_seconds)
        connection.data_received(b"b")
        assert answered(transport) == b"1a"

    played(script)


def test_a_head_that_came_in_part_gets_its_whole_time_once_the_answer_before_it_is_written() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1") + HEAD)
        assert connection.deadline == float("inf")
        worker.loop.now += 60
        await answers.give(b"1")
        assert (connection.stage, connection.deadline) == ("header", 1060 + LIMITS.header_seconds)

    played(script)


def test_a_client_that_does_not_stay_gets_its_answer_and_then_the_connection_ends() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1", LAST) + calls(b"a"))
        assert (connection.stage, transport.open) == ("closing", True)
        await answers.give(b"1")
        assert (answered(transport), transport.open) == (b"1", False)
        assert b"Connection: close\r\n" in transport.written

    played(script)


def test_what_cannot_be_read_is_refused_behind_the_answer_that_is_owed() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1") + b"NOT HTTP\r\n\r\n")
        assert (transport.written, transport.open) == (b"", True)
        await answers.give(b"1")
        assert answered(transport) == b"1"
        assert transport.written.rindex(b"HTTP/1.1 400 ") > transport.written.index(b"HTTP/1.1 200 ")
        assert not transport.open

    played(script)


def test_a_drain_lets_the_answer_leave_and_then_ends_the_connection() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1"))
        worker.draining = True
        await answers.give(b"1")
        assert b"Connection: close\r\n" in transport.written
        assert not transport.open

    played(script)


@pytest.mark.parametrize("behind", [calls(b"a"), calls(b"2"), b"NOT HTTP\r\n\r\n"], ids=["at once", "later", "none"])
def test_in_a_drain_nothing_follows_the_answer_that_says_that_the_connection_ends(behind: bytes) -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1") + behind)
        worker.draining = True
        await answers.give(b"1")
        assert transport.statuses == [200]
        assert not transport.open

    played(script)


def test_a_client_that_has_left_gets_nothing() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        connection.data_received(calls(b"1"))
        connection.connection_lost(None)
        await answers.give(b"1")
        assert transport.written == b""
        assert worker.gone == [connection]

    played(script)


def test_a_client_that_does_not_read_its_answer_is_closed_at_its_deadline() -> None:
    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        transport.write = lambda data: connection.pause_writing()
        connection.data_received(calls(b"1"))
        await answers.give(b"1")
        assert (connection.stage, transport.reading, connection.deadline) == ("write", False, 1003.0)

    played(script)


def test_a_large_body_behind_an_owed_answer_waits_no_longer_than_others() -> None:
    large = HEAD + b"Content-Length: 100\r\n\r\n"

    async def script(worker: Worker, answers: Answers, connection: Connection, transport: Any) -> None:
        reading, _ = worker.connect()
        reading.data_received(large + b"x" * 90)
        connection.data_received(calls(b"1") + large + b"x" * 90)
        assert connection.is_waiting
        await answers.give(b"1")
        assert connection.deadline == worker.loop.now + LIMITS.stall_seconds
        assert not transport.reading
        reading.data_received(b"x" * 10)
        assert transport.reading
        assert connection.deadline == worker.loop.now + LIMITS.body_seconds

    played(script)
