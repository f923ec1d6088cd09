"""Large bodies: the memory that they share, and what becomes of them where it is short."""

from collections.abc import Callable
from typing import Any, Protocol


class Reader(Protocol):
    """What reads a large body."""

    def pause_body(self) -> None:
        """Read no more of it."""
        ...

    def resume_body(self) -> None:
        """There is memory for it again."""
        ...

    def give_way(self) -> None:
        """End it, which releases its memory."""
        ...


class LargeBodies:
    """The memory of all large bodies together.

    A body costs what has been received of it, so clients that send little and stop keep nobody out. Where all together
    take more than ``room`` bytes, one of them is read to its end and the others wait, unread, in order of arrival.
    Those that are stalled give way to them, the largest first.
    """

    def __init__(self, room: int, is_stalled: Callable[[Any], bool]) -> None:
        """``is_stalled``: the client of a reader does not go on; never true of one that is paused."""
        self._room = room
        self._is_stalled = is_stalled
        self._taken = 0
        self._sizes: dict[Reader, int] = {}
        self._waiting: dict[Reader, None] = {}
        self._first: Reader | None = None

    def is_waiting(self, reader: Reader) -> bool:
        """True while the body is not read, for want of memory."""
        return reader in self._waiting

    def hold(self, reader: Reader, size: int) -> None:
        """The body takes ``size`` bytes now. The reader is paused if there is no memory for more of it."""
        self._taken += size - self._sizes.get(reader, 0)
        self._sizes[reader] = size
        if self._taken <= self._room or reader is self._first or reader in self._waiting:
            return
        if self._first is None:
            self._first = reader
            return
        self._waiting[reader] = None
        reader.pause_body()
        self.make_room()

    def release(self, reader: Reader) -> None:
        """Nothing is held of the body any more."""
        self._taken -= self._sizes.pop(reader, 0)
        self._waiting.pop(reader, None)
        if reader is self._first:
            self._first = None
        while self._waiting and (self._taken <= self._room or self._first is None):
            following = next(iter(self._waiting))
            del self._waiting[following]
            if self._taken > self._room:
                self._first = following
            following.resume_body()

    def make_room(self) -> None:
        """End stalled bodies while others wait."""
        if not self._waiting:
            return
        stalled = [each for each in self._sizes if self._is_stalled(each)]
        for reader in sorted(stalled, key=self._sizes.__getitem__, reverse=True):
            if not self._waiting:
                return
            reader.give_way()
