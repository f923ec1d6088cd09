"""The body of a request: its parts until it is whole, and its place among the large bodies that are read at once."""

from collections.abc import Callable
from typing import Literal

from webhook.server.large_bodies import LargeBodies


class Body:
    """The bodies of one connection, one after the other."""

    def __init__(self, bodies: LargeBodies, read_on: Callable[[], None]) -> None:
        """``read_on`` is called once the one that waits has a place, or needs none any more."""
        self._bodies = bodies
        self._read_on = read_on
        self._parts: list[bytes] = []
        self._place: Literal["none", "waiting", "taken"] = "none"
        self.size = 0

    @property
    def is_waiting(self) -> bool:
        """True while it waits for a place, unread."""
        return self._place == "waiting"

    @property
    def needs_place(self) -> bool:
        """True while it neither has a place nor waits for one."""
        return self._place == "none"

    def begin(self) -> None:
        self._parts, self.size = [], 0

    def add(self, part: bytes, *, discard: bool) -> None:
        self.size += len(part)
        if not discard:
            self._parts.append(part)

    def take_place(self, most: float) -> bool:
        """Take a place, or wait for one; False if that is expected to take longer than ``most`` seconds."""
        if self._bodies.expected_wait() > most:
            self._parts = []
            return False
        self._place = "taken" if self._bodies.take(self) else "waiting"
        return True

    def resume_body(self) -> None:
        """The place that it waited for is free."""
        self._place = "taken"
        self._read_on()

    def whole(self) -> bytes:
        """All of it, which needs no place any more."""
        whole, was_waiting = b"".join(self._parts), self.is_waiting
        self.drop()
        if was_waiting:
            # Its end had been read together with what made it large.
            self._read_on()
        return whole

    def drop(self) -> None:
        """It will not be read on."""
        self._parts = []
        if self._place == "waiting":
            self._bodies.forget(self)
        elif self._place == "taken":
            self._bodies.release()
        self._place = "none"
