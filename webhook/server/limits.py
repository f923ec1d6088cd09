"""Every bound of the server in one place; seconds and bytes."""

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may cost.

    ``body``: an UPDATE carries two objects of at most 3 MiB each, and an envelope. ``values``: as many as two lists of
    80,000 entries have; they bound the memory of a review that is parsed. ``discard``: how much of a refused body is
    read and discarded, so that the client gets the refusal instead of a broken connection. ``keep_alive`` outlasts the
    90 seconds after which an API server drops an idle connection, so that it is never the server that closes first.
    Where there are too many connections or too little memory, clients give way that have not gone on for
    ``stall_seconds``, and no body waits for longer; a new connection takes the place of a call that has not gone on for
    ``pause_seconds`` if nothing else gives way. What bodies have beyond ``large`` bytes counts: all of it may take
    ``large_together``, and one body more.
    """

    body: int = 7 * MIB
    values: int = 500_000
    discard: int = 16 * MIB
    large: int = 64 * 1024
    large_together: int = 49 * MIB
    connections: int = 500
    request_line: int = 4094
    header_count: int = 64
    header_size: int = 8190
    head_size: int = 32 * 1024
    handshake_seconds: float = 5.0
    header_seconds: float = 5.0
    body_seconds: float = 10.0
    stall_seconds: float = 1.0
    pause_seconds: float = 0.1
    write_seconds: float = 30.0
    keep_alive_seconds: float = 120.0
    close_seconds: float = 1.0
    drain_seconds: float = 2.0
    finish_seconds: float = 15.0
