"""The large bodies that are read at once: a bounded number, which bounds the memory they take together."""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

_WEIGHT: Final = 0.2
"""Of the last release in the average pace."""


class Reader(Protocol):
    """What reads a large body."""

    def resume_body(self) -> None:
        """There is a place for it now."""
        ...


class LargeBodies:
    """Bounds the large bodies that are read at once. The others wait, unread, in order of arrival."""

    def __init__(self, at_once: int, monotonic: Callable[[], float]) -> None:
        self._free = at_once
        self._monotonic = monotonic
        self._moved_at = monotonic()
        self._seconds_each = 0.0
        self._waiting: deque[Reader] = deque()

    def take(self, reader: Reader) -> bool:
        """A place for this connection now; else it is called back by ``resume_body`` when one is free."""
        if self._free:
            self._free -= 1
            self._moved_at = self._monotonic()
            return True
        self._waiting.append(reader)
        return False

    def expected_wait(self) -> float:
        """Seconds after which another connection would get a place, by the pace at which places have become free.

        While none does, the pace is taken to be as slow as the present one has lasted.
        """
        if self._free:
            return 0.0
        standing = self._monotonic() - self._moved_at
        return max(self._seconds_each, standing) * (len(self._waiting) + 1)

    def release(self) -> None:
        """Give the place to the first connection that waits."""
        now = self._monotonic()
        if not self._free:
            self._seconds_each += _WEIGHT * (now - self._moved_at - self._seconds_each)
        self._moved_at = now
        if self._waiting:
            self._waiting.popleft().resume_body()
        else:
            self._free += 1

    def forget(self, reader: Reader) -> None:
        """The connection waits no longer."""
        self._waiting.remove(reader)
