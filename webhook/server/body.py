"""The body of a request: its parts until it is whole."""

from math import inf

from webhook.server.large_bodies import LargeBodies, Reader


class Body:
    """The bodies of one connection, one after the other."""

    def __init__(self, bodies: LargeBodies, reader: Reader) -> None:
        self._bodies = bodies
        self._reader = reader
        self._parts: list[bytes] = []
        self.size = self._marked = 0
        self.length: int | None = None

    @property
    def is_waiting(self) -> bool:
        """True while it is large and not read, for want of memory."""
        return self._bodies.is_waiting(self._reader)

    def begin(self) -> None:
        self._parts, self.size, self._marked = [], 0, 0

    def add(self, part: bytes, *, discard: bool) -> None:
        self.size += len(part)
        if not discard:
            self._parts.append(part)

    @property
    def rest(self) -> float:
        """How many bytes are not there yet, infinite where its length is not known."""
        return inf if self.length is None else self.length - self.size

    def hold(self, step: int) -> bool:
        """It is a large one: what it has beyond ``step`` bytes counts. True if it has grown by as much again."""
        if self.rest:
            self._bodies.hold(self._reader, self.size - step)
        has_grown = self.size - self._marked >= step
        if has_grown:
            self._marked = self.size
        return has_grown

    def whole(self) -> bytes:
        """All of it, which counts no more."""
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
