"""Overload: how long a review has waited before it was read, and whether its answer would still be in time."""

import re
import socket
import struct
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import Any, Final

from webhook.server.head import Refusal

EARLY: Final = 0.5
"""The part of an API server's time that a review may have waited before it is read. What has waited longer is refused,
so that the queue stays short and the others are answered in time."""
LATE: Final = 0.9
"""The part of that time after which an answer no longer arrives in time."""

_seconds_in: Final = re.compile(rb"(?:^|&)timeout=([1-9]\d{0,3})s(?:&|$)").search
# struct tcp_info of Linux: eight bytes, then numbers of four; the twelfth is tcpi_last_data_recv, in milliseconds.
_LAST_DATA: Final = struct.Struct("=52xI")
_RECORD: Final = 16 * 1024
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)


@lru_cache(maxsize=64)
def timeout_in(query: bytes) -> float:
    """The seconds that an API server waits for the answer, as it says in the query (``timeout=3s``); else infinite."""
    found = _seconds_in(query)
    return float(found[1]) if found else inf


def unread_seconds(peer: Any) -> float:
    """Seconds since the last bytes of a TCP connection arrived in the kernel; 0 where that is not known."""
    if _TCP_INFO is None or peer is None:
        return 0.0
    try:
        info = peer.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LAST_DATA.size)
    except OSError:
        # The connection has just been closed.
        return 0.0
    return float(_LAST_DATA.unpack(info)[0]) / 1000 if len(info) == _LAST_DATA.size else 0.0


def unread_bytes(peer: Any, most: int) -> int:
    """How many bytes of a TCP connection lie unread in the kernel, up to ``most``; 0 where that is not known."""
    if peer is None:
        return 0
    try:
        return len(peer.recv(most, socket.MSG_PEEK))
    except OSError:
        # There are none, or the connection has just been closed.
        return 0


class Patience:
    """How long the present request of a connection has waited, and how long its API server waits for the answer.

    ``monotonic`` is exact; the time of the event loop stands still within one turn of it. ``peer`` is the socket.
    """

    def __init__(self, monotonic: Callable[[], float], peer: Any = None) -> None:
        self._monotonic = monotonic
        self._peer = peer
        self._arrived = self._begun = monotonic()
        self._timeout = inf

    def read(self) -> None:
        """Bytes of a head have been read."""
        self._arrived = self._monotonic() - unread_seconds(self._peer)

    def begin(self) -> None:
        """A request begins with the bytes that have been read."""
        self._begun, self._timeout = self._arrived, inf

    def has_unread(self, rest: float) -> bool:
        """True if the kernel has so many bytes more, or as many as a record of TLS carries."""
        return unread_bytes(self._peer, _RECORD) >= min(rest, _RECORD)

    def waited(self) -> float:
        """Seconds since the request arrived."""
        return self._monotonic() - self._begun

    def left(self, part: float = 1.0) -> float:
        """Seconds until that part of the API server's time is over."""
        return self._timeout * part - self.waited()

    def overdue(self, part: float, query: bytes = b"") -> Refusal | None:
        """The refusal of a request that has waited longer than a part of its API server's time."""
        if query:
            self._timeout = timeout_in(query)
        return self.refusal() if self.left(part) < 0 else None

    def refusal(self) -> Refusal:
        """The answer to what cannot be answered in time. Nobody tries again by it: it names no time to do so."""
        known = f" of the {self._timeout:g} s that the API server waits" if self._timeout < inf else ""
        has_waited = f"the review has waited {self.waited():.1f} s{known}"
        return Refusal(503, f"this server has more reviews than it can answer in time: {has_waited}")
