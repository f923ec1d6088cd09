"""Eviction: which client has stalled, and which connection of a full server gives way to a new one."""

from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeVar

from webhook.server.limits import Limits

_EVICTED_FIRST: Final = ("handshake", "header", "closing", "stalled", "idle", "waiting")

Stage = Literal["handshake", "header", "body", "answer", "write", "idle", "closing"]
"""``body`` lasts until the whole body is there, also if it is discarded; ``answer``: the handler has not answered yet;
``write``: the client does not read."""


class Open(Protocol):
    """An open connection.

    ``since`` is the time on the event loop's clock at which its stage began, or at which its body last grew by
    ``Limits.large`` bytes; infinite while an answer is owed. ``has_unread``: the client goes on, and the server has not
    read it yet. ``is_waiting`` while a large body is not read, so that its client cannot go on.
    """

    @property
    def stage(self) -> Stage: ...
    @property
    def since(self) -> float: ...
    @property
    def has_unread(self) -> bool: ...
    @property
    def is_waiting(self) -> bool: ...


Connection = TypeVar("Connection", bound=Open)


def is_stalled(connection: Open, now: float, limits: Limits) -> bool:
    """True for a call that is under way no longer: its client has not gone on for ``stall_seconds``.

    The body of an API server's call comes with its head; a few bytes now and then are no progress. A client that does
    not read its responses does not go on either. That the server itself is late stalls nobody.
    """
    if connection.stage not in ("body", "write") or connection.is_waiting:
        return False
    return now - connection.since > limits.stall_seconds and not connection.has_unread


def first_to_go(connections: Iterable[Connection], now: float, limits: Limits) -> Connection | None:
    """The connection to end, None if every one has a call under way. ``connections`` begin with the oldest.

    A large body that waits for memory gives way where nothing else does: else those that wait could fill the server.
    """
    found: dict[str, Connection] = {}
    for connection in connections:
        state = "waiting" if connection.is_waiting else connection.stage
        if state not in found:
            found[state] = connection
        if "stalled" not in found and is_stalled(connection, now, limits):
            found["stalled"] = connection
    return next((found[state] for state in _EVICTED_FIRST if state in found), None)
