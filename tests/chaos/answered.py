"""A write of the loop that reached the server, and its result."""

from dataclasses import dataclass
from typing import Any

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """A write that reached the server: who asked for what, and what it answered.

    ``arrived`` is the time at which the proxy had all of it, by ``time.monotonic``; ``warnings`` are the server's.
    """

    method: str
    path: str
    code: int
    asked: Wire
    answer: Wire
    who: str = ""
    arrived: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """Of what was stored; 0 where nothing was, and for a deletion, whose answer shows what was there before."""
        version = (self.answer.get("metadata") or {}).get("resourceVersion") or "0"
        return int(version) if self.stored and self.method != "DELETE" else 0

    @property
    def asked_version(self) -> int:
        """On condition of which it was to be stored; 0 for none."""
        return int((self.asked.get("metadata") or {}).get("resourceVersion") or 0)

    @property
    def stored(self) -> bool:
        return 200 <= self.code <= 299
