"""Eviction: which connection of a full server gives way to a new one."""

from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from webhook.server.limits import Limits

_EVICTED_FIRST: Final = ("handshake", "header", "closing", "stalled", "idle")


class Open(Protocol):
    """An open connection: its stage, and the time on the event loop's clock at which that is over."""

    @property
    def stage(self) -> str: ...
    @property
    def deadline(self) -> float: ...


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
    if connection.stage == "body" and now - (connection.deadline - limits.body_seconds) > limits.stall_seconds:
        return "stalled"
    return connection.stage
