"""Live world: the world of a cluster, kept up to date by watches."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from webhook.api.lease import renewed_at
from webhook.cluster.client import Client
from webhook.cluster.clock import SystemClock
from webhook.cluster.indexer import Change, Indexer
from webhook.cluster.reflector import Reflector
from webhook.cluster.resource import DEPLOYMENTS, LEASES, ROLLOUT_ORCHESTRATORS, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import whole, with_managers
from webhook.diagnosis.live_loops import LiveLoops, unread_of
from webhook.diagnosis.reading import Selection, selection
from webhook.diagnosis.world import RESOURCES, World

if TYPE_CHECKING:
    from webhook.api.wire import Wire

_SYNC_SECONDS: Final = 30.0
_POLL: Final = 0.05
_SKEW: Final = timedelta(seconds=5)
"""A difference of clocks that is smaller makes no difference to anybody."""


class LiveWorld:
    """Lists once and watches from there. ``changed`` is set at every change, and ``version`` grows.

    The clock of this machine may differ from the cluster's: a Lease that is renewed while it is watched tells by how
    much.
    """

    def __init__(
        self,
        client: Client,
        namespace: str | None,
        now: Callable[[], datetime],
        *,
        name: str = "",
        selector: str = "",
        supervisor: Supervisor | None = None,
    ) -> None:
        self.changed = threading.Event()
        self._version = 0
        self._stopped = False
        self._condition = threading.Condition()
        self._now = now
        self._skew = timedelta(0)
        clock = SystemClock()

        def reflector(resource: Resource, chosen: Selection, on_change: Callable[[Change], None]) -> Reflector:
            return Reflector(
                client,
                resource,
                Indexer(clock.monotonic),
                clock,
                namespace=chosen.namespace,
                label_selector=chosen.labels,
                field_selector=f"metadata.name={chosen.name}" if chosen.name else "",
                trim=with_managers if resource is not LEASES else whole,
                on_change=on_change,
                supervisor=supervisor,
            )

        self._loops = LiveLoops(reflector, self._changed)
        self._reflectors = [
            reflector(
                resource,
                selection(resource, namespace, name, selector),
                self._changed_lease if resource is LEASES else self._changed,
            )
            for resource in RESOURCES
        ]

    def begin(self) -> None:
        """Start to read, and do not wait."""
        for reflector in self._reflectors:
            reflector.start()
        self._loops.begin()

    def start(self, seconds: float = _SYNC_SECONDS) -> None:
        """Start to read; return once everything was read that can be, or after so many seconds.

        Raises ApiError where ROs cannot be read.
        """
        self.begin()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for each in self._reflectors:
                if each.resource is ROLLOUT_ORCHESTRATORS and each.last_error is not None and not each.synced:
                    raise each.last_error
            # The Lease and the registration name further namespaces of loops before they count as read.
            if all(each.synced or each.last_error is not None for each in self._reflectors) and all(
                each.synced or each.last_error is not None for each in self._loops.reflectors()
            ):
                return
            time.sleep(_POLL)

    def stop(self) -> None:
        """End the watches, without waiting for their threads one after the other, and whatever waits for a change."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        for reflector in (*self._reflectors, *self._loops.end()):
            threading.Thread(target=reflector.stop, name="stop", daemon=True).start()

    def world(self) -> World:
        """The world as the API server last reported it."""
        objects: dict[Resource, list[Wire]] = {each.resource: each.store.objects() for each in self._reflectors}
        objects[DEPLOYMENTS] = [*objects[DEPLOYMENTS], *self._loops.objects()]
        unread = [unread_of(each) for each in self._reflectors if not each.synced]
        at = self._now() - self._skew
        return World(objects, at, (*unread, *self._loops.unread()), self._loops.installed_in)

    def not_ready(self) -> str:
        """Why there is nothing to show yet; empty once the rollouts were read."""
        rollouts = (one for one in self._reflectors if one.resource is ROLLOUT_ORCHESTRATORS)
        return next((one.unread() for one in rollouts if not one.was_synced), "")

    def version(self) -> int:
        """A number that grows with every change."""
        with self._condition:
            return self._version

    def wait(self, version: int, seconds: float) -> int:
        """The version, once it is another than this one, the time is over, or the watches have ended."""
        with self._condition:
            self._condition.wait_for(lambda: self._version != version or self._stopped, seconds)
            return self._version

    def _changed(self, change: Change) -> None:
        self.changed.set()
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def _changed_lease(self, change: Change) -> None:
        """A renewal changes nothing that is shown; it tells what time it is in the cluster."""
        before, after = change.before, change.after
        if after is not None:
            self._loops.has_lease(after)
        time_there = renewed_at(after) if after is not None else None
        if before is None or time_there is None or renewed_at(before) == time_there:
            self._changed(change)
            return
        skew = self._now() - time_there
        self._skew = skew if abs(skew) > _SKEW else timedelta(0)
