"""Eviction: which client has stalled, and which connection of a full server gives way to a new one."""

from collections import Counter
from collections.abc import Collection
from itertools import chain
from typing import Final, Literal, Protocol, TypeVar

from webhook.server.limits import Limits

_EVICTED_FIRST: Final = ("stalled", "handshake", "header", "closing", "idle", "waiting")
_BETWEEN_CALLS: Final = ("handshake", "header", "closing")

Stage = Literal["handshake", "header", "body", "answer", "write", "idle", "closing"]
"""``body`` lasts until the whole body is there, also if it is discarded; ``answer``: the handler has not answered yet;
``write``: the client does not read."""


class Open(Protocol):
    """An open connection from an ``address``.

    ``since`` is the time on the event loop's clock at which its stage began, or at which its body last grew by
    ``Limits.large`` bytes; infinite while an answer is owed. ``has_unread``: the client goes on, and the server has not
    read it yet. ``is_waiting`` while a large body is not read, so that its client cannot go on.
    """

    @property
    def address(self) -> str: ...
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
    return _has_stopped_for(limits.stall_seconds, connection, now)


def _has_stopped_for(seconds: float, connection: Open, now: float) -> bool:
    if connection.stage not in ("body", "write") or connection.is_waiting:
        return False
    return now - connection.since > seconds and not connection.has_unread


def first_to_go(connections: Collection[Connection], now: float, limits: Limits, newcomer: str) -> Connection | None:
    """The connection that gives way to one from the address ``newcomer``, None if none does.

    ``connections`` begin with the oldest. The address with the most of them comes first. Of an address it is the oldest
    without a call under way, unless its client may still go on: its stage is not older than ``pause_seconds``. A large
    body that waits for memory gives way where nothing else does, since such bodies could fill the server. An address
    with more than twice as many connections as the newcomer's also gives up new ones, and a call, the newest body,
    since calls that never end could fill the server. If nothing of this gives way, the call does whose client has not
    gone on for the longest, for ``pause_seconds`` at least, and then a new connection.
    """
    counts = Counter(each.address for each in connections)
    found: dict[str, dict[str, Connection]] = {address: {} for address in counts}
    for connection in connections:
        states = found[connection.address]
        state = _state_of(connection, now, limits)
        states.setdefault(state, connection)
        if state == "body":
            states["newest"] = connection
        if "stalled" not in states and is_stalled(connection, now, limits):
            states["stalled"] = connection
    for address, count in counts.most_common():
        order = (*_EVICTED_FIRST, "new", "newest") if count > 2 * counts[newcomer] + 1 else _EVICTED_FIRST
        if (first := next((found[address][state] for state in order if state in found[address]), None)) is not None:
            return first
    calls = sorted(connections, key=lambda each: (-counts[each.address], each.since))
    paused = (each for each in calls if _has_stopped_for(limits.pause_seconds, each, now))
    new = (found[address]["new"] for address, _ in counts.most_common() if "new" in found[address])
    return next(chain(paused, new), None)


def _state_of(connection: Open, now: float, limits: Limits) -> str:
    if connection.is_waiting:
        return "waiting"
    if connection.stage in _BETWEEN_CALLS and now - connection.since <= limits.pause_seconds:
        return "new"
    return connection.stage
