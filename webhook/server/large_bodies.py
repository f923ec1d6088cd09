"""The large bodies that are read at once: a bounded number, which bounds the memory they take together."""

from collections import deque
from typing import Protocol


class Reader(Protocol):
    """A connection that reads a large body."""

    def resume_body(self) -> None:
        """There is a place for it now."""
        ...


class LargeBodies:
    """Bounds the large bodies that are read at once. The others wait, unread, in order of arrival."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[Reader] = deque()

    def take(self, reader: Reader) -> bool:
        """A place for this connection now; else it is called back by ``resume_body`` when one is free."""
        if self._free:
            self._free -= 1
            return True
        self._waiting.append(reader)
        return False

    def release(self) -> None:
        """Give the place to the first connection that waits."""
        if self._waiting:
            self._waiting.popleft().resume_body()
        else:
            self._free += 1

    def forget(self, reader: Reader) -> None:
        """The connection waits no longer."""
        self._waiting.remove(reader)
