"""Eviction: which connection of a full server gives way to a new one."""

from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeVar

from webhook.server.limits import Limits

_EVICTED_FIRST: Final = ("handshake", "header", "closing", "stalled", "idle", "waiting")

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
    with its head. So is one whose client has not read for as long. A large body that waits for its place gives way
    where nothing else does: there are few places, and whoever holds them would fill the server with those that wait.
    """
    found: dict[str, Connection] = {}
    for connection in connections:
        found.setdefault(_state_of(connection, now, limits), connection)
    return next((found[state] for state in _EVICTED_FIRST if state in found), None)


def _state_of(connection: Open, now: float, limits: Limits) -> str:
    if connection.is_waiting:
        return "waiting"
    seconds = {"body": limits.body_seconds, "write": limits.write_seconds}.get(connection.stage)
    if seconds is not None and now - (connection.deadline - seconds) > limits.stall_seconds:
        return "stalled"
    return connection.stage
