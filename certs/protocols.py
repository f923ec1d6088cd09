"""What the certificates need of a cluster, of its caches and of the process they run in; the caller provides it."""

import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

Kind = Literal["Secret", "Pod", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]
Wire = dict[str, Any]
"""An object as the API server sends it: JSON, with camelCase names."""


class Cluster(Protocol):
    """Requests to an API server. ``namespace`` is None for kinds that have none. Each of them raises ClusterError."""

    def get(self, kind: Kind, namespace: str | None, name: str) -> Wire | None:
        """The object, None if there is none."""
        ...

    def list(self, kind: Kind, namespace: str | None, label_selector: str) -> Sequence[Wire]:
        """The objects that the selector matches."""
        ...

    def create(self, kind: Kind, namespace: str | None, body: Wire) -> None:
        """Raises Conflict if the object exists."""
        ...

    def patch(self, kind: Kind, namespace: str | None, name: str, body: Wire) -> None:
        """A merge patch. Raises Conflict if the body names another resourceVersion, NotFound if there is no object."""
        ...

    def apply(self, kind: Kind, namespace: str | None, name: str, body: Wire) -> None:
        """A forced server-side apply, with the same errors as ``patch``."""
        ...

    def watch(self, kind: Kind, namespace: str | None, name: str, on_change: Callable[[], None]) -> "Runnable":
        """A watch of one object, which calls back after each change of it."""
        ...


class Runnable(Protocol):
    """Something that runs between ``start`` and ``stop``."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class SecretWatch(Runnable, Protocol):
    """A local copy of one Secret, which a watch keeps up to date; reading it sends nothing."""

    @property
    def secret(self) -> Mapping[str, Any] | None:
        """The Secret as last received, None while there is none."""
        ...

    @property
    def synced(self) -> bool:
        """True once the API server has answered."""
        ...

    @property
    def last_error(self) -> Exception | None:
        """Why the Secret cannot be read; None if it can be."""
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...


class Supervisor(Protocol):
    """Runs loops that must not end by themselves; a turn that raises is logged, counted, and followed by the next."""

    def start(self, loop: str, turn: Callable[[], float | None], wait: Callable[[float], bool]) -> threading.Thread:
        """Take turns in a thread: each returns the seconds until the next one, None when the loop is over."""
        ...

    async def keep(self, loop: str, turn: Callable[[], Awaitable[float | None]]) -> None:
        """Take turns in the task that awaits this."""
        ...

    def beat(self) -> None:
        """Report progress within a turn that takes long."""
        ...
