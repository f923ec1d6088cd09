"""Events: telling people what happens to an object, once, and never too often."""

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webhook.api.wire import Wire, format_time
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, NotFound
from webhook.cluster.resource import EVENTS, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.work_queue import TokenBucket

NORMAL: Final = "Normal"
WARNING: Final = "Warning"

_MAX_MESSAGE: Final = 1024
_MAX_REMEMBERED: Final = 4096
_MAX_QUEUED: Final = 10_000
"""Some 10 MB: as many as come at once when thousands of rollouts begin."""
_IDLE_SECONDS: Final = 30.0
"""How long the recorder waits for an Event before it takes another turn."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to an object; ``regarding`` is an ObjectReference on the wire."""

    regarding: Mapping[str, str]
    type: str
    reason: str
    message: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two happenings the same one, repeated."""
        reference = self.regarding
        return (reference.get("namespace", ""), reference.get("name", ""), reference.get("uid", ""), self.type,
                self.reason, self.message)  # fmt: skip


@dataclass(slots=True)
class Repetition:
    """An Event that was stored, how often it has happened, and when that was last told."""

    name: str
    count: int
    first_at: datetime
    told_at: float


@dataclass(frozen=True, slots=True)
class Telling:
    """One request to send: a new Event, or a later count of one that is stored."""

    happening: Happening
    name: str
    count: int
    first_at: datetime
    is_new: bool


class Correlator:
    """Decides what to send. A repetition is told at most once in ``quiet`` seconds, with the count until then.

    For each object there is a bucket of ``burst`` new Events, refilled with one in ``refill`` seconds.
    """

    def __init__(
        self, suffix: Callable[[], str], *, quiet: float = 300.0, burst: int = 100, refill: float = 10.0
    ) -> None:
        self._suffix = suffix
        self._quiet = quiet
        self._burst = burst
        self._refill = refill
        self._known: OrderedDict[tuple[str, ...], Repetition] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], TokenBucket] = OrderedDict()

    def tell(self, happening: Happening, now: datetime, monotonic: float) -> Telling | None:
        """What to send for a happening, or None."""
        known = self._known.get(happening.key)
        if known is not None:
            self._known.move_to_end(happening.key)
            known.count += 1
            if monotonic - known.told_at < self._quiet:
                return None
            known.told_at = monotonic
            return Telling(happening, known.name, known.count, known.first_at, is_new=False)
        if not self._bucket(happening.key[:3]).take(monotonic):
            return None
        # An Event lives in etcd under its object's name and something that makes it unique.
        name = f"{happening.regarding.get('name', '')[:200]}.{self._suffix()}"
        self._known[happening.key] = Repetition(name, 1, now, monotonic)
        _bound(self._known)
        return Telling(happening, name, 1, now, is_new=True)

    def lost(self, happening: Happening) -> None:
        """An Event was not stored, or has expired: the next time is the first time."""
        self._known.pop(happening.key, None)

    def _bucket(self, object_key: tuple[str, ...]) -> TokenBucket:
        bucket = self._buckets.get(object_key)
        if bucket is None:
            bucket = self._buckets[object_key] = TokenBucket(1.0 / self._refill, self._burst)
            _bound(self._buckets)
        return bucket


def event_body(telling: Telling, component: str, now: datetime) -> Wire:
    """A new Event as the core API wants it."""
    happening = telling.happening
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": telling.name, "namespace": namespace_of(happening)},
        "involvedObject": dict(happening.regarding),
        "type": happening.type,
        "reason": happening.reason,
        "message": happening.message[:_MAX_MESSAGE],
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": component,
        "firstTimestamp": format_time(telling.first_at),
        "lastTimestamp": format_time(now),
        "count": telling.count,
    }


def namespace_of(happening: Happening) -> str:
    """Events about cluster-wide objects live in ``default``."""
    return happening.regarding.get("namespace") or "default"


def reference_to(resource: Resource, metadata: Mapping[str, Any]) -> dict[str, str]:
    """The ObjectReference to an object with this metadata."""
    reference = {"apiVersion": resource.api_version, "kind": resource.kind}
    members = ("namespace", "name", "uid", "resourceVersion")
    return reference | {key: str(metadata[key]) for key in members if metadata.get(key)}


class EventRecorder:
    """Sends Events from a thread of its own; telling never waits and never fails. What does not fit is dropped."""

    def __init__(
        self,
        client: Client,
        component: str,
        clock: Clock,
        suffix: Callable[[], str],
        *,
        correlator: Correlator | None = None,
        tally: Callable[[str], None] = lambda what: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._correlator = correlator or Correlator(suffix)
        self._tally = tally
        self._supervisor = supervisor or Supervisor()
        self._stopped = threading.Event()
        self._queue: queue.Queue[Happening | None] = queue.Queue(_MAX_QUEUED)
        self._thread: threading.Thread | None = None

    def record(self, happening: Happening) -> None:
        """Tell it soon."""
        try:
            self._queue.put_nowait(happening)
        except queue.Full:
            self._tally("dropped")

    def start(self) -> None:
        self._thread = self._supervisor.start("events", self._turn, self._stopped.wait)

    def stop(self, seconds: float = 2.0) -> None:
        """Send what is still queued, for at most that long."""
        if self._thread is None:
            return
        self._stopped.set()
        try:
            self._queue.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def send(self, happening: Happening) -> None:
        """Send one now, if it is to be sent at all; a failed request is only counted. Raises what is none."""
        now = self._clock.now()
        telling = self._correlator.tell(happening, now, self._clock.monotonic())
        if telling is None:
            self._tally("quiet")
            return
        try:
            self._store(telling, now)
            self._tally("sent")
        except ApiError as problem:
            self._tally("failed")
            self._correlator.lost(happening)
            _LOG.debug("event not stored: %s", problem)
        except Exception:
            self._tally("failed")
            self._correlator.lost(happening)
            raise

    def _store(self, telling: Telling, now: datetime) -> None:
        namespace = namespace_of(telling.happening)
        if not telling.is_new:
            patch = {"count": telling.count, "lastTimestamp": format_time(now)}
            try:
                self._client.patch(EVENTS, namespace, telling.name, patch)
            except NotFound:  # expired: Events live for an hour
                self._client.create(EVENTS, namespace, event_body(telling, self._component, now))
            return
        self._client.create(EVENTS, namespace, event_body(telling, self._component, now))

    def _turn(self) -> float | None:
        try:
            happening = self._queue.get(timeout=_IDLE_SECONDS)
        except queue.Empty:
            return 0.0
        if happening is None:
            return None
        self.send(happening)
        return 0.0


def _bound(table: OrderedDict[Any, Any]) -> None:
    while len(table) > _MAX_REMEMBERED:
        table.popitem(last=False)
