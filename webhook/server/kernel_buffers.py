"""The kernel's buffers of a connection, which count as memory of the pod: it takes twice as much as is asked for.

By default they grow to 6 MiB. Those of an open connection are never made smaller: the kernel would drop what the client
may send already, and the client would send it again only after 200 ms.
"""

import socket
from contextlib import suppress
from typing import Any, Final

RECEIVED: Final = 64 * 1024
"""Bytes that lie unread."""
RECEIVED_WIDELY: Final = 1024 * 1024
"""The same for the few connections that send large bodies, which would be a fifth slower with less."""
SENT: Final = 32 * 1024
"""Bytes of responses that clients have not taken."""


def prepare(listener: socket.socket) -> None:
    """Bound those of later connections; none can be told to receive more at a time than this."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_WIDELY)


def bound(peer: socket.socket) -> None:
    """Bound those of a new connection; raises OSError if it is closed."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT)


def widen(peer: Any) -> None:
    """Let a connection receive much at a time, for as long as it is open. ``peer`` is its socket, or None."""
    if peer is None:
        return
    # It may have just been closed, which the next read shows.
    with suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_WIDELY)
