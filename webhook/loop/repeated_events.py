"""Repeated Events: what every reconcile would say again as long as nothing changes, said once."""

from collections.abc import Iterable
from typing import Generic, TypeVar

E = TypeVar("E")


class RepeatedEvents(Generic[E]):
    """Remembers what the last reconcile of each object said. One thread at a time may ask about one object."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[str, tuple[E, ...]]] = {}

    def new(self, namespace: str, name: str, uid: str, events: Iterable[E]) -> list[E]:
        """Those of these Events that the reconcile before did not have; another uid is another object."""
        now = tuple(dict.fromkeys(events))
        was_uid, before = self._last.get((namespace, name), ("", ()))
        if now:
            self._last[namespace, name] = uid, now
        else:
            self._last.pop((namespace, name), None)
        return [event for event in now if uid != was_uid or event not in before]

    def forget(self, namespace: str, name: str) -> None:
        """The object is gone."""
        self._last.pop((namespace, name), None)
