"""The body of a request: its parts until it is whole."""

from math import inf
from typing import Final

from webhook.server.large_bodies import LargeBodies, Reader

_SMALL: Final = 1024


class Body:
    """The bodies of one connection, one after the other, of at most ``most`` bytes each."""

    def __init__(self, bodies: LargeBodies, reader: Reader, most: int) -> None:
        self._bodies = bodies
        self._reader = reader
        self._most = most
        self._parts: list[bytes | bytearray] = []
        self.size = self._marked = 0
        self.length: int | None = None

    @property
    def is_waiting(self) -> bool:
        """True while it is large and not read, since there is no memory for it."""
        return self._bodies.is_waiting(self._reader)

    def begin(self) -> None:
        self._parts = []
        self.size = self._marked = 0

    def expect(self, length: int | None, large: float) -> None:
        """Its head announces so many bytes, or None; a body of more than ``large`` is a large one."""
        self.length = length
        if length is not None and length > large:
            self._bodies.expect(self._reader)

    def add(self, part: bytes, *, discard: bool) -> None:
        """Small parts are joined at once: a client that sends two bytes at a time would take thirty times as much."""
        self.size += len(part)
        if discard:
            return
        if len(part) >= _SMALL:
            self._parts.append(part)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += part
        else:
            self._parts.append(bytearray(part))

    @property
    def rest(self) -> float:
        """How many bytes are not there yet, infinite where its length is not known."""
        return inf if self.length is None else self.length - self.size

    @property
    def known_rest(self) -> int:
        """How many bytes are still to come, 0 where its length is not known."""
        return 0 if self.length is None else self.length - self.size

    @property
    def most_rest(self) -> int:
        """How many bytes are still to come at most."""
        return (self._most if self.length is None else self.length) - self.size

    def hold(self, step: int) -> bool:
        """It is a large one: what it has beyond ``step`` bytes counts. True if it has grown by as much again."""
        if self.rest:
            self._bodies.hold(self._reader, self.size - step)
        has_grown = self.size - self._marked >= step
        if has_grown:
            self._marked = self.size
        return has_grown

    def whole(self) -> bytes:
        """All of it; its memory no longer counts."""
        whole, was_waiting = b"".join(self._parts), self.is_waiting
        self.drop()
        if was_waiting:
            # Its end had been read together with what it waited for.
            self._reader.resume_body()
        return whole

    def drop(self) -> None:
        """It will not be read on."""
        self._parts = []
        self._bodies.release(self._reader)

    def end(self) -> None:
        """The connection is closed."""
        self.drop()
        self._bodies.forget(self._reader)
