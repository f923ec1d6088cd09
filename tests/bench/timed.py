"""The history of the loop's bench: every version that was stored, and when it was received."""

import time
from collections.abc import Callable, Iterable

from tests.chaos.history import History, Stored
from webhook.cluster.client import Client
from webhook.cluster.resource import REVISIONS, Resource


class Timed(History):
    """A history with the time at which each version was received, by the monotonic clock."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._times: dict[tuple[Resource, tuple[str, str]], list[tuple[float, Stored]]] = {}

    def first(
        self, resource: Resource, key: tuple[str, str], wanted: Callable[[float, Stored], bool]
    ) -> tuple[float, int] | None:
        """When the first version that is as wanted was received, and its number; None if there is none."""
        versions = self._times.get((resource, key), [])
        return next(((at, one.version) for at, one in versions if wanted(at, one)), None)

    def _take(self, many: Iterable[Stored]) -> None:
        now, some = time.monotonic(), list(many)
        for one in some:
            if one.resource is not REVISIONS:
                self._times.setdefault((one.resource, one.key), []).append((now, one))
        super()._take(some)
