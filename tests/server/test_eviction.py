"""Which connection of a full server gives way; each row is the oldest connection first, with its age in its stage."""

import asyncio
import socket
from dataclasses import dataclass
from math import inf
from typing import Any

import pytest

from tests.server.test_faults import Bare, FaultyWebhook
from webhook.listening import listen
from webhook.server.eviction import Stage, first_to_go, is_stalled
from webhook.server.limits import Limits

LIMITS = Limits()
NOW = 1000.0
SAME, OTHER, THIRD = "10.0.0.1", "10.0.0.2", "10.0.0.3"


@dataclass(eq=False)
class Connection:
    stage: Stage
    since: float
    is_waiting: bool = False
    has_unread: bool = False
    address: str = SAME


@pytest.mark.parametrize(
    ("stages", "given_up"),
    [
        ([("idle", 9), ("header", 1), ("handshake", 0.05), ("handshake", 4), ("handshake", 3)], 3),
        ([("idle", 9), ("closing", 0.5), ("header", 0.2), ("handshake", 0.05)], 2),
        ([("idle", 9), ("closing", 0.5)], 1),
        # A call that has stalled comes before all of them, and a client that has just come is left time to go on.
        ([("idle", 9), ("body", 5), ("closing", 1), ("header", 1), ("handshake", 4)], 1),
        ([("handshake", 0.05), ("header", 0.05), ("closing", 0.05), ("idle", 0)], 3),
        ([("handshake", 0.05), ("body", 0.2), ("body", 0.3)], 2),
        ([("body", 0.05), ("answer", 60), ("handshake", 0.02), ("header", 0.05)], 2),
        ([("body", 0.9), ("idle", 9), ("body", 1.1), ("body", 8)], 2),
        ([("body", 0.9), ("idle", 3), ("idle", 9)], 1),
        ([("body", 0.9), ("idle", 9), ("write", 0.9), ("write", 1.1)], 3),
        # Where nothing else is left, the call that has paused for the longest.
        ([("body", 0.05), ("body", 0.2), ("answer", 60), ("write", 0.9)], 3),
        ([("body", 0.05), ("body", 0.2), ("body", 0.3)], 2),
        ([("body", 0.09), ("body", 0), ("answer", 60), ("write", 0.09)], None),
        ([], None),
    ],
)
def test_the_longest_waiting_connection_without_a_call_under_way_gives_way(
    stages: list[tuple[Stage, float]], given_up: int | None
) -> None:
    connections = [Connection(stage, NOW - age) for stage, age in stages]
    found = first_to_go(connections, NOW, LIMITS, SAME)
    assert found is (None if given_up is None else connections[given_up])


def test_a_body_behind_an_answer_that_is_owed_is_not_stalled() -> None:
    assert first_to_go([Connection("body", inf)], NOW, LIMITS, SAME) is None


@pytest.mark.parametrize("stage", ["body", "write"])
def test_a_call_that_the_server_has_not_read_yet_is_not_stalled(stage: Stage) -> None:
    late = Connection(stage, NOW - 60, has_unread=True)
    assert not is_stalled(late, NOW, LIMITS)
    assert first_to_go([late], NOW, LIMITS, SAME) is None
    stalled = Connection(stage, NOW - 60)
    assert is_stalled(stalled, NOW, LIMITS)
    assert first_to_go([late, stalled], NOW, LIMITS, SAME) is stalled


def test_a_body_that_waits_for_memory_is_not_stalled() -> None:
    """It gives way where nothing else does: else those that wait could fill the server."""
    waiting, second = (Connection("body", NOW - 60, is_waiting=True) for _ in range(2))
    idle, reading = Connection("idle", NOW - 20), Connection("body", NOW - 0.5)
    assert not is_stalled(waiting, NOW, LIMITS)
    assert first_to_go([waiting, reading, idle], NOW, LIMITS, SAME) is idle
    assert first_to_go([reading, waiting, second], NOW, LIMITS, SAME) is waiting


Row = tuple[Stage, float, str]
IDLE: Row = ("idle", 9, SAME)
CALL: Row = ("body", 0.05, SAME)
PAUSED: Row = ("body", 0.5, SAME)


@pytest.mark.parametrize(
    ("rows", "newcomer", "given_up"),
    [
        # The address with the most connections gives way first, whatever the others do.
        ([IDLE, ("idle", 1, OTHER), ("idle", 1, OTHER)], SAME, 1),
        ([("handshake", 4, SAME), ("idle", 1, OTHER), ("idle", 1, OTHER)], SAME, 1),
        ([IDLE, IDLE, ("idle", 60, OTHER)], OTHER, 0),
        # Where it has nothing but calls under way, the next one does,
        ([CALL, CALL, ("idle", 1, OTHER)], OTHER, 2),
        # unless the newcomer's address has less than half as many: then the newest body gives way.
        ([CALL, ("body", 0.01, SAME), CALL, ("answer", inf, SAME), ("idle", 1, OTHER)], OTHER, 2),
        ([CALL, ("body", 0.01, SAME), ("idle", 1, OTHER)], THIRD, 1),
        ([CALL, CALL], THIRD, 1),
        ([CALL], THIRD, None),
        ([CALL, CALL, CALL], SAME, None),
        ([("answer", inf, SAME)] * 9, THIRD, None),
        # An address with so many gives up what has just come as well.
        ([("handshake", 0.05, SAME), ("handshake", 0.02, SAME), ("idle", 9, OTHER)], THIRD, 0),
        ([("handshake", 0.05, SAME), ("handshake", 0.02, SAME), ("idle", 9, OTHER)], OTHER, 2),
        # A call that has paused gives way only after all that is none, that of the address with the most first.
        ([PAUSED, PAUSED, ("idle", 1, OTHER)], OTHER, 2),
        ([("body", 0.8, OTHER), PAUSED, CALL, ("body", 0.6, SAME)], SAME, 3),
    ],
)
def test_the_address_with_the_most_connections_gives_way(rows: list[Row], newcomer: str, given_up: int | None) -> None:
    connections = [Connection(stage, NOW - age, address=address) for stage, age, address in rows]
    found = first_to_go(connections, NOW, LIMITS, newcomer)
    assert found is (None if given_up is None else connections[given_up])


def test_where_none_gives_way_the_new_connection_is_closed() -> None:
    process = FaultyWebhook()
    worker, listener = Bare(process.service()), listen("127.0.0.1", 0)
    worker.limits = Limits(connections=1)
    busy: Any = Connection("answer", inf, address="127.0.0.1")
    worker.open[busy] = None

    async def accepted() -> None:
        worker.loop = asyncio.get_running_loop()
        worker._accept(listener)

    with listener, socket.create_connection(listener.getsockname(), 60) as late:
        listener.setblocking(False)
        asyncio.run(accepted())
        assert late.recv(1) == b""
    assert list(worker.open) == [busy]
    assert process.metrics.registry.get_sample_value("stagegate_connections_closed_total", {"reason": "full"}) == 1
