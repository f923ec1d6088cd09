"""The fence, which stops a former leader from writing."""

from collections.abc import Callable

from webhook.cluster.errors import Call, Unreachable
from webhook.cluster.resource import LEASES


class NotLeading(Unreachable):
    """A write was not sent, because this process may not hold the lease any more."""


class Fence:
    """Decides if this process may write, by a clock that also runs while the process is stopped."""

    def __init__(self, boottime: Callable[[], float], margin: float) -> None:
        self._boottime = boottime
        self._margin = margin
        self._valid_until: float | None = None
        self._is_released = False

    def renewed(self, until: float) -> None:
        """This process holds the lease until ``until`` on the boot clock."""
        self._valid_until = until

    def lost(self) -> None:
        """This process does not hold the lease."""
        self._valid_until = None

    def released(self) -> None:
        """This process has released the lease and will not write again."""
        self._is_released = True
        self._valid_until = None

    def holds(self) -> bool:
        return self._valid_until is not None and self._boottime() < self._valid_until - self._margin

    def check(self, call: Call | None = None) -> None:
        """Raises NotLeading unless this process certainly holds the lease: another one may be writing already."""
        if not self.holds():
            why = "has released its lease" if self._is_released else "does not hold the lease"
            raise NotLeading(call or Call("update", LEASES.plural), f"not sent: this process {why}")
