"""A reflector keeps a store equal to what the server has: list, watch, and list again when the watch cannot resume."""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from webhook.cluster.backoff import Backoff
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.errors import ApiError, Call, Gone, NotFound, OutcomeUnknown, error_from_event
from webhook.cluster.resource import Resource
from webhook.cluster.store import Change, Key, Store, is_later, key_of
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.trim import Trim, whole

if TYPE_CHECKING:
    from webhook.cluster.transport import Stream

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a reflector spends its time, in seconds; ``page`` is the number of objects asked for at once.

    A resource that the server does not serve is asked for again after ``absent`` seconds.

    A server sends a bookmark about once a minute, so a connection that is silent for much longer is dead. A reader that
    wants a small ``age`` asks for watches shorter than that: reopening one is a sign of life too.
    """

    shortest_watch: float = 300.0
    longest_watch: float = 600.0
    silence: float = 150.0
    absent: float = 60.0
    page: int = 500


DEFAULT_PACE: Final = Pace()


class Reflector:
    """Runs in a thread of its own (``start``); its store may be read from any thread.

    ``on_change`` is called in that thread for every object added, updated or deleted, also for deletions that
    happened while the connection was lost, and ``on_contact`` after every sign of life. ``tally`` counts what happens:
    list, watch, event, bookmark, gone, silence, error. A resource that the server stops serving makes ``synced`` False,
    and the objects stay as they were. A change that ``on_change`` fails on is passed on again before the next watch.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        store: Store,
        clock: Clock,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        trim: Trim = whole,
        on_change: Callable[[Change], None] = lambda change: None,
        on_contact: Callable[[], None] = lambda: None,
        tally: Callable[[str], None] = lambda what: None,
        pace: Pace = DEFAULT_PACE,
        random_number: Callable[[], float] = random.random,
        wait: Callable[[float], bool] | None = None,
        supervisor: Supervisor | None = None,
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
        self._tally = tally
        self._pace = pace
        self._random = random_number
        self._backoff = Backoff(random_number)
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._supervisor = supervisor or Supervisor()
        self._synced = threading.Event()
        self._refused: dict[Key, Change] = {}
        self._version: str | None = None
        self._contact: float | None = None
        self._stream: Stream | None = None
        self._thread: threading.Thread | None = None
        self._absent = False
        self.was_synced = False
        """Whether the store ever held what the server had."""
        self.trouble: Exception | None = None

    @property
    def synced(self) -> bool:
        """Whether the store holds what the server had at some time, and the resource is still served."""
        return self._synced.is_set()

    @property
    def absent(self) -> bool:
        """Whether the server, when it last answered, said that it does not serve the resource."""
        return self._absent

    def wait_until_synced(self, seconds: float) -> bool:
        """Wait for the first list; False when it has not come within ``seconds``."""
        return self._synced.wait(seconds)

    def age(self) -> float:
        """Seconds since the server last said anything; infinite before the first list."""
        return float("inf") if self._contact is None else max(0.0, self._clock.monotonic() - self._contact)

    def start(self) -> None:
        where = f" in {self.namespace}" if self.namespace else ""
        name = f"reflector {self.resource.full_name}{where}"
        self._thread = self._supervisor.start("reflector", self._turn, self._wait, name=name)

    def stop(self) -> None:
        """End the thread; returns when it has ended, or after two seconds without it."""
        self._stopped.set()
        stream = self._stream
        if stream is not None:
            stream.close()
        if self._thread is not None:
            self._thread.join(2.0)

    def _turn(self) -> float | None:
        return None if self._stopped.is_set() else self.step()

    def step(self) -> float:
        """One list where it is needed and one watch; answers the seconds to wait before the next step.

        Raises what is no error of a request; the step after it lists anew.
        """
        try:
            self._pass_on_again()
            if self._version is None:
                self._list()
            quickly_over = self._watch()
        except Gone as problem:
            self._tally("gone")
            self._version = None
            return self._failed(problem)
        except ApiError as problem:
            if self._stopped.is_set():
                return 0.0
            if isinstance(problem, NotFound):
                return self._missing(problem)
            return self._failed(problem)
        except Exception as fault:
            self._version = None
            self.trouble = fault
            raise
        self.trouble = None
        return self._backoff.next() if quickly_over else 0.0

    def _missing(self, problem: NotFound) -> float:
        self._tally("error")
        if not self.absent:
            _LOG.info("the server does not serve %s", self.resource.full_name)
        self.trouble = problem
        self._absent = True
        self._synced.clear()
        self._version = None
        return self._pace.absent * (1.0 + 0.1 * self._random())

    def _failed(self, problem: ApiError) -> float:
        self._tally("error")
        if not isinstance(self.trouble, ApiError) or self.trouble.message != problem.message:
            _LOG.warning("%s", problem)
        self.trouble = problem
        return self._backoff.next(problem.retry_after)

    def _list(self) -> None:
        self._tally("list")
        try:
            objects, version = self._read_list(self._pace.page)
        except Gone:
            # The pages took so long that their version expired: once in a single piece.
            objects, version = self._read_list(0)
        self._version = version
        for change in self.store.replace(objects, version, self.namespace):
            self._pass_on(change)
        self._heard()
        self.trouble = None
        self._absent = False
        self.was_synced = True
        self._synced.set()

    def _read_list(self, limit: int) -> tuple[list[Any], str]:
        objects: list[Any] = []
        token = ""
        while True:
            page = self._client.list(
                self.resource, self.namespace, limit=limit, continue_token=token, **self._selectors
            )
            self._supervisor.beat()
            objects.extend(self._trim(one) for one in page.get("items") or [])
            metadata = page.get("metadata") or {}
            token = metadata.get("continue") or ""
            if not token:
                return objects, str(metadata.get("resourceVersion") or "")

    def _watch(self) -> bool:
        """Watch until the server ends it; answers whether it ended at once and told nothing."""
        pace = self._pace
        seconds = pace.shortest_watch + self._random() * (pace.longest_watch - pace.shortest_watch)
        self._tally("watch")
        stream = self._client.watch(
            self.resource,
            self.namespace,
            resource_version=self._version or "",
            server_seconds=seconds,
            silence_seconds=min(pace.silence, seconds + 15.0),
            **self._selectors,
        )
        self._stream = stream
        opened = self._heard()
        told = False
        try:
            for event in stream:
                told = True
                self._take(event)
                self._heard()
                if self._stopped.is_set():
                    break
        except OutcomeUnknown as problem:
            self._lost(problem)
        finally:
            self._stream = None
            stream.close()
        if told or self._clock.monotonic() - opened > 1.0:
            self._backoff.reset()
            return False
        return True

    def _lost(self, problem: OutcomeUnknown) -> None:
        """A connection that broke is taken up where it ended; after a silent one nothing is certain."""
        if self._contact is not None and self._clock.monotonic() - self._contact >= self._pace.silence * 0.9:
            self._tally("silence")
            self._version = None
        raise problem

    def _heard(self) -> float:
        self._supervisor.beat()
        now = self._contact = self._clock.monotonic()
        self._on_contact()
        return now

    def _take(self, event: Any) -> None:
        kind, one = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise error_from_event(Call("watch", self.resource.plural, self.namespace), one)
        self._backoff.reset()
        version = str((one.get("metadata") or {}).get("resourceVersion") or "")
        if kind == "BOOKMARK":
            self._tally("bookmark")
        elif kind in ("ADDED", "MODIFIED", "DELETED"):
            self._tally("event")
            change = self.store.see(kind, self._trim(one))
            if change is not None:
                self._pass_on(change)
        # Older events may come late; going back would only ask for them again.
        if version and is_later(version, self._version or ""):
            self._version = version

    def _pass_on(self, change: Change) -> None:
        """Hand a change on. The store has it already and no watch shows it again, so one that fails is kept."""
        key = key_of(change.object)
        try:
            self._on_change(change)
        except Exception:
            self._supervisor.fault("reflector", f"a change of {self.resource.full_name} {'/'.join(filter(None, key))}")
            self._refused[key] = change
        else:
            self._refused.pop(key, None)

    def _pass_on_again(self) -> None:
        for change in list(self._refused.values()):
            self._pass_on(change)
