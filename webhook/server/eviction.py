"""Eviction: which connection of a full server gives way to a new one."""

from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeVar

from webhook.server.limits import Limits

_EVICTED_FIRST: Final = ("handshake", "header", "closing", "stalled", "idle")

Stage = Literal["handshake", "header", "body", "answer", "write", "idle", "closing"]
"""``body`` lasts until the whole body is there, also if it is discarded; ``answer``: the handler has not answered yet;
``write``: the client does not read."""


class Open(Protocol):
    """An open connection: its stage, and the time on the event loop's clock at which that is over.

    ``is_waiting`` while a large body is not read, so that its client cannot go on.
    """

    @property
    def stage(self) -> Stage: ...
    @property
    def deadline(self) -> float: ...
    @property
    def is_waiting(self) -> bool: ...


Connection = TypeVar("Connection", bound=Open)


def first_to_go(connections: Iterable[Connection], now: float, limits: Limits) -> Connection | None:
    """The connection to end, None if every one has a call under way. ``connections`` begin with the oldest.

    A call whose body is not there after ``stall_seconds`` is under way no longer: that of an API server's call comes
    with its head.
    """
    found: dict[str, Connection] = {}
    for connection in connections:
        found.setdefault(_state_of(connection, now, limits), connection)
    return next((found[state] for state in _EVICTED_FIRST if state in found), None)


def _state_of(connection: Open, now: float, limits: Limits) -> str:
    if connection.stage == "body" and not connection.is_waiting:
        begun = connection.deadline - limits.body_seconds
        return "stalled" if now - begun > limits.stall_seconds else "body"
    return connection.stage
