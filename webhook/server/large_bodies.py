"""Large bodies: the memory that they share, and what becomes of them where it is short."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

_WIDE: Final = 16
"""The most connections that read much at a time."""


class Reader(Protocol):
    """What reads a large body. ``address`` is that of its client, ``rest`` the bytes that are not there yet."""

    @property
    def address(self) -> str: ...
    @property
    def rest(self) -> int: ...
    def pause_body(self) -> None:
        """Read no more of it."""
        ...

    def resume_body(self) -> None:
        """There is memory for it again."""
        ...

    def give_way(self) -> None:
        """End it, which releases its memory."""
        ...

    def widen(self) -> None:
        """Read much at a time of this body and of later ones."""
        ...


class LargeBodies:
    """The memory of all large bodies together: ``room`` bytes, one body beyond, and of each that waits the last piece.

    A body costs what has been received of it, so clients that send little and stop keep nobody out. Those of one
    address take at most half of what the others leave. One for which there is no more is not read for now. Where memory
    becomes free it goes to the address that has the least, and of its bodies to the newest, whose client will wait for
    the longest; from then on that body costs its whole length, and is read to its end. Bodies that are stalled give way
    to those that wait, those of the address that has the most first.
    """

    def __init__(self, room: int, is_stalled: Callable[[Any], bool]) -> None:
        """``is_stalled``: the client of a reader does not go on; never true of one that is paused."""
        self._room = room
        self._is_stalled = is_stalled
        self._taken = 0
        self._taken_by: Counter[str] = Counter()
        self._sizes: dict[Reader, int] = {}
        self._counted: dict[Reader, int] = {}
        self._granted: set[Reader] = set()
        self._waiting: dict[str, dict[Reader, None]] = {}
        self._first: Reader | None = None
        self._wide: set[Reader] = set()

    def is_waiting(self, reader: Reader) -> bool:
        """True while the body is not read, since there is no memory for it."""
        return reader in self._waiting.get(reader.address, ())

    def hold(self, reader: Reader, size: int) -> None:
        """The body takes ``size`` bytes now. The reader is paused if there is no memory for more of it."""
        more = size - self._counted.get(reader, 0)
        self._sizes[reader] = size
        if reader in self._granted or reader is self._first or self.is_waiting(reader):
            return
        if self._has_room(reader.address, more):
            self._count(reader, more)
        elif self._first is None:
            self._first = reader
        else:
            self._waiting.setdefault(reader.address, {})[reader] = None
            reader.pause_body()
            self.make_room()

    def expect(self, reader: Reader) -> None:
        """A large body begins: its connection reads much at a time until it is closed, if few others do."""
        if len(self._wide) < _WIDE and reader not in self._wide:
            self._wide.add(reader)
            reader.widen()

    def forget(self, reader: Reader) -> None:
        """The connection of the reader is closed."""
        self._wide.discard(reader)

    def release(self, reader: Reader) -> None:
        """Nothing is held of the body any more."""
        if reader not in self._sizes:
            return
        self._count(reader, -self._counted.get(reader, 0))
        del self._sizes[reader]
        self._counted.pop(reader, None)
        self._granted.discard(reader)
        self._stop_waiting(reader)
        if reader is self._first:
            self._first = None
        while (following := self._next()) is not None:
            self._stop_waiting(following)
            following.resume_body()

    def make_room(self) -> None:
        """End stalled bodies while others wait."""
        if not self._waiting:
            return
        stalled = [each for each in self._sizes if self._is_stalled(each)]
        for reader in sorted(stalled, key=lambda each: (self._taken_by[each.address], self._sizes[each]), reverse=True):
            if not self._waiting:
                return
            reader.give_way()

    def _has_room(self, address: str, more: int) -> bool:
        """True if the bodies of an address may take so much more."""
        taken = self._taken_by[address]
        return 2 * (taken + more) <= self._room - (self._taken - taken)

    def _count(self, reader: Reader, more: int) -> None:
        self._counted[reader] = self._counted.get(reader, 0) + more
        self._taken += more
        self._taken_by[reader.address] += more
        if not self._taken_by[reader.address]:
            del self._taken_by[reader.address]

    def _next(self) -> Reader | None:
        """The next that is read on, None if there is no memory for any: the newest of the address with the least."""
        newest = [next(reversed(each)) for each in self._waiting.values()]
        newest.sort(key=lambda each: self._taken_by[each.address])
        for reader in newest:
            more = self._sizes[reader] + reader.rest - self._counted.get(reader, 0)
            if self._has_room(reader.address, more):
                self._granted.add(reader)
                self._count(reader, more)
                return reader
        if newest and self._first is None:
            self._first = newest[0]
            return newest[0]
        return None

    def _stop_waiting(self, reader: Reader) -> None:
        waiting = self._waiting.get(reader.address, {})
        waiting.pop(reader, None)
        if not waiting:
            self._waiting.pop(reader.address, None)
