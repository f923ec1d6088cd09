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


@dataclass(eq=False)
class Connection:
    stage: Stage
    since: float
    is_waiting: bool = False
    has_unread: bool = False


@pytest.mark.parametrize(
    ("stages", "given_up"),
    [
        ([("idle", 9), ("header", 1), ("handshake", 0), ("handshake", 4)], 2),
        ([("idle", 9), ("body", 5), ("closing", 0), ("header", 1)], 3),
        ([("idle", 9), ("body", 5), ("closing", 0)], 2),
        ([("body", 0.9), ("idle", 9), ("body", 1.1), ("body", 8)], 2),
        ([("body", 0.9), ("idle", 3), ("idle", 9)], 1),
        ([("body", 0.9), ("idle", 9), ("write", 0.9), ("write", 1.1)], 3),
        ([("body", 0.9), ("body", 0), ("answer", 60), ("write", 0.9)], None),
        ([], None),
    ],
)
def test_the_longest_waiting_connection_without_a_call_under_way_gives_way(
    stages: list[tuple[Stage, float]], given_up: int | None
) -> None:
    connections = [Connection(stage, NOW - age) for stage, age in stages]
    found = first_to_go(connections, NOW, LIMITS)
    assert found is (None if given_up is None else connections[given_up])


def test_a_body_behind_an_answer_that_is_owed_is_not_stalled() -> None:
    assert first_to_go([Connection("body", inf)], NOW, LIMITS) is None


@pytest.mark.parametrize("stage", ["body", "write"])
def test_a_call_that_the_server_has_not_read_yet_is_not_stalled(stage: Stage) -> None:
    late = Connection(stage, NOW - 60, has_unread=True)
    assert not is_stalled(late, NOW, LIMITS)
    assert first_to_go([late], NOW, LIMITS) is None
    stalled = Connection(stage, NOW - 60)
    assert is_stalled(stalled, NOW, LIMITS)
    assert first_to_go([late, stalled], NOW, LIMITS) is stalled


def test_a_body_that_waits_for_memory_is_not_stalled() -> None:
    """It gives way where nothing else does: else those that wait could fill the server."""
    waiting, second = (Connection("body", NOW - 60, is_waiting=True) for _ in range(2))
    idle, reading = Connection("idle", NOW - 20), Connection("body", NOW - 0.5)
    assert not is_stalled(waiting, NOW, LIMITS)
    assert first_to_go([waiting, reading, idle], NOW, LIMITS) is idle
    assert first_to_go([reading, waiting, second], NOW, LIMITS) is waiting


def test_where_none_gives_way_the_new_connection_is_closed() -> None:
    process = FaultyWebhook()
    worker, listener = Bare(process.service()), listen("127.0.0.1", 0)
    worker.limits = Limits(connections=1)
    busy: Any = Connection("answer", inf)
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
