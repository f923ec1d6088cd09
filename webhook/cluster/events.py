"""Kubernetes Events: repetitions raise a count, the rate is limited, and a thread sends them."""

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from webhook.api.wire import Wire, format_time
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import EVENTS, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.work_queue import TokenBucket

_MAX_MESSAGE: Final = 1024
_MAX_REMEMBERED: Final = 4096
_EXPIRE_SECONDS: Final = 3600.0
"""An API server keeps Events for an hour, unless it is told otherwise."""
_MAX_QUEUED: Final = 10_000
"""About 10 MB; thousands of rollouts that start at once record as many."""
_IDLE_SECONDS: Final = 30.0
"""How long the thread waits for an Event before it reports to the supervisor."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an object; ``regarding`` is an ObjectReference in wire form.

    ``repeats`` is True for what is said again and again as long as it holds, False for what has happened once more.
    """

    regarding: Mapping[str, str]
    type: str
    reason: str
    message: str
    repeats: bool = True

    @property
    def object_key(self) -> tuple[str, str, str]:
        """Namespace, name and uid of the object."""
        reference = self.regarding
        return reference.get("namespace", ""), reference.get("name", ""), reference.get("uid", "")

    @property
    def key(self) -> bytes:
        """Events with equal keys are repetitions of one Event. A digest: thousands with long messages are kept."""
        parts = (*self.object_key, self.type, self.reason, self.message)
        return blake2b(repr(parts).encode(), digest_size=16).digest()


@dataclass(slots=True)
class SentEvent:
    """An Event that was sent: its name, how often it occurred, and when the count was last sent."""

    name: str
    count: int
    first_at: datetime
    sent_at: float


@dataclass(frozen=True, slots=True)
class EventWrite:
    """One request to send: a new Event, or a higher count of a stored one."""

    event: Event
    name: str
    count: int
    first_at: datetime
    is_new: bool


class Correlator:
    """Decides what to send. What repeats is sent at most once in ``quiet`` seconds, with the count so far.

    Each object has a bucket of ``burst`` Events that are new or have happened once more, which gets one more every
    ``refill`` seconds.
    """

    def __init__(
        self, suffix: Callable[[], str], *, quiet: float = 300.0, burst: int = 100, refill: float = 10.0
    ) -> None:
        self._suffix = suffix
        self._quiet = quiet
        self._burst = burst
        self._refill = refill
        self._known: OrderedDict[bytes, SentEvent] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, str, str], TokenBucket] = OrderedDict()

    def correlate(self, event: Event, now: datetime, monotonic: float) -> EventWrite | None:
        """The request to send for an Event, or None."""
        self._drop_the_old(monotonic)
        known = self._known.get(event.key)
        if known is not None:
            self._known.move_to_end(event.key)
            known.count += 1
            is_quiet = monotonic - known.sent_at < self._quiet
            if is_quiet and (event.repeats or not self._bucket(event.object_key).take(monotonic)):
                return None
            known.sent_at = monotonic
            return EventWrite(event, known.name, known.count, known.first_at, is_new=False)
        if not self._bucket(event.object_key).take(monotonic):
            return None
        # By convention an Event is named after its object, with a unique suffix.
        name = f"{event.regarding.get('name', '')[:200]}.{self._suffix()}"
        self._known[event.key] = SentEvent(name, 1, now, monotonic)
        _bound(self._known)
        return EventWrite(event, name, 1, now, is_new=True)

    def forget(self, event: Event) -> None:
        """Treat the next occurrence as a new Event, because this one was not stored or has expired."""
        self._known.pop(event.key, None)

    def _bucket(self, object_key: tuple[str, str, str]) -> TokenBucket:
        bucket = self._buckets.get(object_key)
        if bucket is None:
            bucket = self._buckets[object_key] = TokenBucket(1.0 / self._refill, self._burst)
            _bound(self._buckets)
        self._buckets.move_to_end(object_key)
        return bucket

    def _drop_the_old(self, monotonic: float) -> None:
        """Forget Events that have expired, and buckets that are full again."""
        while self._known and monotonic - next(iter(self._known.values())).sent_at > _EXPIRE_SECONDS + self._quiet:
            self._known.popitem(last=False)
        while self._buckets and next(iter(self._buckets.values())).is_full(monotonic):
            self._buckets.popitem(last=False)


def event_body(write: EventWrite, component: str, now: datetime) -> Wire:
    """The wire form of a new Event (core/v1)."""
    event = write.event
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": write.name, "namespace": namespace_of(event)},
        "involvedObject": dict(event.regarding),
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:_MAX_MESSAGE],
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": component,
        "firstTimestamp": format_time(write.first_at),
        "lastTimestamp": format_time(now),
        "count": write.count,
    }


def namespace_of(event: Event) -> str:
    """The namespace of an Event; for cluster-scoped objects it is ``default``."""
    return event.regarding.get("namespace") or "default"


def reference_to(resource: Resource, metadata: Mapping[str, Any]) -> dict[str, str]:
    """The ObjectReference to an object with this metadata."""
    reference = {"apiVersion": resource.api_version, "kind": resource.kind}
    members = ("namespace", "name", "uid", "resourceVersion")
    return reference | {key: str(metadata[key]) for key in members if metadata.get(key)}


class EventRecorder:
    """Sends Events from a thread of its own. ``record`` never blocks or fails; a full queue drops the Event.

    ``on_count`` is called with the result of each Event: sent, quiet, failed, dropped.
    """

    def __init__(
        self,
        client: Client,
        component: str,
        clock: Clock,
        suffix: Callable[[], str],
        *,
        correlator: Correlator | None = None,
        on_count: Callable[[str], None] = lambda result: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._correlator = correlator or Correlator(suffix)
        self._on_count = on_count
        self._supervisor = supervisor or Supervisor()
        self._stopped = threading.Event()
        self._queue: queue.Queue[Event | None] = queue.Queue(_MAX_QUEUED)
        self._thread: threading.Thread | None = None

    def record(self, event: Event) -> None:
        """Queue an Event to be sent."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._on_count("dropped")

    def start(self) -> None:
        self._thread = self._supervisor.start("events", self._turn, self._stopped.wait)

    def stop(self, seconds: float = 2.0) -> None:
        """Send the Events that are still queued, for at most so many seconds."""
        if self._thread is None:
            return
        self._stopped.set()
        try:
            self._queue.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def send(self, event: Event) -> None:
        """Send an Event now, unless it is suppressed. A failed request is counted; other exceptions are raised."""
        now = self._clock.now()
        write = self._correlator.correlate(event, now, self._clock.monotonic())
        if write is None:
            self._on_count("quiet")
            return
        try:
            self._store(write, now)
            self._on_count("sent")
        except ApiError as problem:
            self._on_count("failed")
            self._correlator.forget(event)
            _LOG.debug("event not stored: %s", problem)
        except Exception:
            self._on_count("failed")
            self._correlator.forget(event)
            raise

    def _store(self, write: EventWrite, now: datetime) -> None:
        namespace = namespace_of(write.event)
        if not write.is_new:
            patch = {"count": write.count, "lastTimestamp": format_time(now)}
            try:
                self._client.patch(EVENTS, namespace, write.name, patch)
            except NotFound:  # expired: an API server keeps Events for an hour
                self._client.create(EVENTS, namespace, event_body(write, self._component, now))
            return
        self._client.create(EVENTS, namespace, event_body(write, self._component, now))

    def _turn(self) -> float | None:
        try:
            event = self._queue.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            return 0.0
        if event is None:
            return None
        self.send(event)
        return 0.0


def _bound(table: OrderedDict[Any, Any]) -> None:
    while len(table) > _MAX_REMEMBERED:
        table.popitem(last=False)
