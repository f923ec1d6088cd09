"""A reflector keeps a store equal to what the server has: list, watch, and list again when the watch cannot resume."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from webhook.api.wire import Wire
from webhook.cluster.backoff import Backoff
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, Call, Gone, NotFound, OutcomeUnknown, error_from_event
from webhook.cluster.indexer import Change, Indexer, Key, is_later, is_same_version, key_of
from webhook.cluster.resource import Resource
from webhook.cluster.response import event_in
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import Trim, whole

if TYPE_CHECKING:
    from webhook.cluster.transport import Stream

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """The intervals of a reflector in seconds; ``page`` is the number of objects in one page of a list.

    A resource that the server does not serve is listed again after ``absent`` seconds.

    A watch that ends when the last list is older than ``relist`` is followed by a list, which makes up for events that
    the server or this process lost.

    A server sends a bookmark about once a minute, so a connection that is silent for much longer is dead. For a smaller
    ``age`` choose watches shorter than a minute: opening one counts as contact too.
    """

    shortest_watch: float = 300.0
    longest_watch: float = 600.0
    silence: float = 150.0
    absent: float = 60.0
    relist: float = 300.0
    page: int = 500


DEFAULT_PACE: Final = Pace()
_SHORTEST_RETRY: Final = 2.0
"""Seconds. A shorter watch would look like one that the server ended at once."""


class Reflector:
    """Runs in a thread of its own (``start``); its store may be read from any thread.

    In that thread ``on_change`` is called for every object added, updated or deleted, including deletions during a lost
    connection, and ``on_contact`` after every response or event. ``on_count`` is called with what happened: list,
    watch, event, bookmark, gone, silence, error. If the server stops serving the resource, ``synced`` becomes False and
    the objects stay; for a ``required`` resource the log has a warning then. If ``on_change`` raises, the watch
    ends, and it gets the same change again before the next one. While it goes on raising, no watch lasts longer than a
    backoff.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        store: Indexer,
        clock: Clock,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        trim: Trim = whole,
        on_change: Callable[[Change], None] = lambda change: None,
        on_contact: Callable[[], None] = lambda: None,
        on_count: Callable[[str], None] = lambda event: None,
        pace: Pace = DEFAULT_PACE,
        random_number: Callable[[], float] = random.random,
        wait: Callable[[float], bool] | None = None,
        supervisor: Supervisor | None = None,
        required: bool = False,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.store = store
        self._client = client
        self._clock = clock
        self._selectors = {"label_selector": label_selector, "field_selector": field_selector}
        self._trim = trim
        self._on_change = on_change
        self._on_contact = on_contact
        self._on_count = on_count
        self._pace = pace
        self._random = random_number
        self._backoff = Backoff(random_number)
        self._change_backoff = Backoff(random_number)
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._supervisor = supervisor or Supervisor()
        self._absence_level = logging.WARNING if required else logging.INFO
        self._synced = threading.Event()
        self._failed_changes: dict[Key, Change] = {}
        self._version: str | None = None
        self._listed_at = clock.monotonic()
        self._must_list = threading.Event()
        self._lists_again = False
        self._contact: float | None = None
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None
        self._absent = False
        self.was_synced = False
        """True once the first list has been stored."""
        self.last_error: Exception | None = None

    @property
    def synced(self) -> bool:
        """True if a list has been stored and the server still serves the resource."""
        return self._synced.is_set()

    @property
    def absent(self) -> bool:
        """True if the last response said that the server does not serve the resource."""
        return self._absent

    @property
    def outdated(self) -> bool:
        """True from ``list_again`` until that list has been stored, or the server does not serve the resource."""
        return self.was_synced and not self.absent and (self._must_list.is_set() or self._lists_again)

    def wait_until_synced(self, seconds: float) -> bool:
        """Wait for the first list; False if it has not arrived within ``seconds``."""
        return self._synced.wait(seconds)

    def unread(self) -> str:
        """What to say of a resource that is not read yet, with the last error."""
        return f"{self.resource.full_name} not read yet{f': {self.last_error}' if self.last_error else ''}"

    def age(self) -> float:
        """Seconds since the server last sent anything; infinite before the first list."""
        return float("inf") if self._contact is None else max(0.0, self._clock.monotonic() - self._contact)

    def start(self) -> None:
        where = f" in {self.namespace}" if self.namespace else ""
        name = f"reflector {self.resource.full_name}{where}"
        self._thread = self._supervisor.start("reflector", self._turn, self._wait, name=name)

    def list_again(self) -> None:
        """End the watch and list; forget what this process wrote itself: the server has lost data."""
        self._must_list.set()
        self._close_stream()

    def end(self) -> None:
        """Let the thread end."""
        self._stopped.set()
        self._close_stream()

    def stop(self, seconds: float = 2.0) -> None:
        """End the thread; return when it has ended, or after so many seconds."""
        self.end()
        if self._thread is not None:
            self._thread.join(seconds)

    def _close_stream(self) -> None:
        stream = self._stream
        if stream is not None:
            stream.close()

    def _turn(self) -> float | None:
        return None if self._stopped.is_set() else self.step()

    def step(self) -> float:
        """List if necessary, then watch once; return the seconds to wait before the next step.

        An exception other than ApiError is raised, and the next step lists again.
        """
        try:
            self._pass_on_again()
            if self._must_list.is_set():
                self._lists_again = True
                self._must_list.clear()
                self.store.distrust()
                self._version = None
            if self._version is None:
                self._list()
            ended_at_once = self._watch()
        except Gone as problem:
            self._on_count("gone")
            self._version = None
            return self._failed(problem)
        except ApiError as problem:
            if self._stopped.is_set():
                return 0.0
            if isinstance(problem, NotFound):
                return self._not_served(problem)
            return self._failed(problem)
        except Exception as fault:
            self._version = None
            self.last_error = fault
            raise
        if ended_at_once:
            call = Call("watch", self.resource.plural, self.namespace)
            return self._failed(OutcomeUnknown(call, "the server ended it at once, without an event"))
        self.last_error = None
        if self._clock.monotonic() - self._listed_at >= self._pace.relist:
            self._version = None
        return 0.0

    def _not_served(self, problem: NotFound) -> float:
        self._on_count("error")
        if not self.absent:
            _LOG.log(self._absence_level, "%s: the server does not serve this resource", problem.call)
        self.last_error = problem
        self._absent = True
        self._synced.clear()
        self._version = None
        return self._pace.absent * (1.0 + 0.1 * self._random())

    def _failed(self, problem: ApiError) -> float:
        self._on_count("error")
        if not isinstance(self.last_error, ApiError) or self.last_error.message != problem.message:
            _LOG.warning("%s", problem)
        self.last_error = problem
        return self._backoff.next(problem.retry_after)

    def _list(self) -> None:
        self._on_count("list")
        try:
            objects, version = self._read_list(self._pace.page)
        except Gone:
            # The version expired while the pages were read, so read the list in one piece.
            objects, version = self._read_list(0)
        self._version, self._listed_at = version, self._clock.monotonic()
        for change in self.store.replace(objects, version, self.namespace):
            self._pass_on(change)
        self._contacted()
        self.last_error = None
        self._absent = False
        self.was_synced = True
        self._lists_again = False
        self._synced.set()

    def _read_list(self, limit: int) -> tuple[list[Any], str]:
        objects: list[Any] = []
        token = ""
        while True:
            page = self._client.list(
                self.resource, self.namespace, limit=limit, continue_token=token, **self._selectors
            )
            self._supervisor.beat()
            objects.extend(self._kept(one) for one in page.get("items") or [])
            metadata = page.get("metadata") or {}
            token = metadata.get("continue") or ""
            if not token:
                return objects, str(metadata.get("resourceVersion") or "")

    def _kept(self, one: Wire) -> Wire:
        """The stored object where it is the same version, so that listing known objects takes no memory."""
        known = self.store.get(*key_of(one))
        return known if known is not None and is_same_version(known, one) else self._trim(one)

    def _watch(self) -> bool:
        """Watch until the server ends it; return True if it ended at once without an event."""
        pace = self._pace
        seconds = pace.shortest_watch + self._random() * (pace.longest_watch - pace.shortest_watch)
        if self._failed_changes:
            seconds = min(seconds, self._change_backoff.next(_SHORTEST_RETRY))
        self._on_count("watch")
        stream = self._client.watch(
            self.resource,
            self.namespace,
            resource_version=self._version or "",
            server_seconds=seconds,
            silence_seconds=min(pace.silence, seconds + 15.0),
            **self._selectors,
        )
        self._stream = stream
        contact, opened = self._contact, self._contacted()
        has_events = False
        try:
            if self._must_list.is_set():
                # ``list_again`` was called while the watch was opened, so there was no stream to close.
                return False
            for event in stream:
                has_events, had_failed = True, bool(self._failed_changes)
                self._take(event)
                self._contacted()
                if self._stopped.is_set() or self._must_list.is_set() or (self._failed_changes and not had_failed):
                    break
        except OutcomeUnknown as problem:
            self._disconnected(problem)
        finally:
            self._stream = None
            stream.close()
        if has_events or self._clock.monotonic() - opened > 1.0:
            self._backoff.reset()
            return False
        self._contact = contact
        return True

    def _disconnected(self, problem: OutcomeUnknown) -> None:
        """Resume after a broken connection, but list again after a silent one, which may have lost events."""
        if self._contact is not None and self._clock.monotonic() - self._contact >= self._pace.silence * 0.9:
            self._on_count("silence")
            self._version = None
        raise problem

    def _contacted(self) -> float:
        self._supervisor.beat()
        now = self._contact = self._clock.monotonic()
        self._on_contact()
        return now

    def _take(self, event: Any) -> None:
        call = Call("watch", self.resource.plural, self.namespace)
        kind, one = event_in(call, event)
        if kind == "ERROR":
            raise error_from_event(call, one)
        self._backoff.reset()
        version = str((one.get("metadata") or {}).get("resourceVersion") or "")
        if kind == "BOOKMARK":
            self._on_count("bookmark")
        elif kind in ("ADDED", "MODIFIED", "DELETED"):
            self._on_count("event")
            change = self.store.apply_event(kind, self._trim(one))
            if change is not None:
                self._pass_on(change)
        # Late events may be older; a watch from their version would send the newer ones again.
        if version and is_later(version, self._version or ""):
            self._version = version

    def _pass_on(self, change: Change) -> None:
        """Pass a change to ``on_change``, and keep it for another attempt if that raises: no watch sends it again."""
        key = key_of(change.object)
        try:
            self._on_change(change)
        except Exception:
            self._supervisor.fault("reflector", f"a change of {self.resource.full_name} {'/'.join(filter(None, key))}")
            self._failed_changes[key] = change
        else:
            self._failed_changes.pop(key, None)

    def _pass_on_again(self) -> None:
        for change in list(self._failed_changes.values()):
            self._pass_on(change)
        if not self._failed_changes:
            self._change_backoff.reset()
