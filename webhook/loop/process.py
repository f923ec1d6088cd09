"""The loop as a process: find the cluster, see it, lead, work, and leave in good order."""

import logging
import random
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from webhook.api.kinds import LEASE_NAME, LEASE_NAMESPACE, LOOP_MANAGER
from webhook.cluster.backoff import Backoff
from webhook.cluster.client import Client
from webhook.cluster.clock import Clock
from webhook.cluster.discovery import served
from webhook.cluster.errors import ApiError, Call, OutcomeUnknown, TooManyRequests, Unavailable, Unreachable
from webhook.cluster.events import EventRecorder
from webhook.cluster.fence import Fence
from webhook.cluster.lease import LeaderElector, LeaseTimes
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS, Resource
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.transport import Transport
from webhook.loop.caches import RESOURCES
from webhook.loop.loop import Loop
from webhook.loop.loop_options import LoopOptions
from webhook.loop.metrics import Metrics
from webhook.signals import wait_for

_LOG: Final = logging.getLogger(__name__)

REQUIRED: Final = (ROLLOUT_ORCHESTRATORS, STAGE_POD_AUTOSCALERS)


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """``drain`` and ``poll`` are in seconds; ``poll`` is the time between two requests while the CRDs are waited for.

    ``patient`` waits at the start for a server that cannot be reached, as a pod must; without it, that is an error.
    """

    loop: LoopOptions = field(default_factory=LoopOptions)
    leader_elect: bool = True
    lease_namespace: str = LEASE_NAMESPACE
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    drain: float = 10.0
    poll: float = 5.0
    patient: bool = False


class Runnable(Protocol):
    """Something that runs between ``start`` and ``stop``, in threads of its own."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class LoopProcess:
    """One run of the loop. ``settled`` is called once, when the caches hold what there is.

    A process that loses its lease stands by, with its caches full, and works again when it holds it again. ``pages``
    run from the first moment to the last, ``runnables`` from the moment at which this process first leads.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        options: ProcessOptions,
        identity: str | None = None,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self._options = options
        self._settled = settled
        self._stopped = threading.Event()
        self._identity = identity or f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        times = options.lease_times
        self._fence = Fence(clock.boottime, times.margin)
        self.metrics = Metrics(RESOURCES)
        self.supervisor = Supervisor(clock.monotonic, self.metrics.faulted)
        self._transport = transport
        self.client = self.fenced_client(LOOP_MANAGER)
        self.runnables: list[Runnable] = []
        self.pages: Runnable | None = None
        lease_client = Client(
            transport,
            field_manager=LOOP_MANAGER,
            read_timeout=times.margin,
            write_timeout=times.margin,
            on_response=self._answered,
        )
        self.recorder = EventRecorder(
            self.client,
            LOOP_MANAGER,
            clock,
            lambda: uuid.uuid4().hex[:16],
            on_count=self.metrics.event,
            supervisor=self.supervisor,
        )
        self.loop = Loop(self.client, clock, options.loop, self.metrics, self.recorder.record, self.supervisor)
        self._elector = LeaderElector(
            lease_client,
            options.lease_namespace,
            LEASE_NAME,
            self._identity,
            self._fence,
            clock,
            times=times,
            wait=self._stopped.wait,
            supervisor=self.supervisor,
            on_change=self._lead_changed,
            on_loss=self.loop.list_again,
        )
        self._working = threading.Event()
        self._was_ready = False
        self.metrics.ask_leader(self.is_leader)

    def fenced_client(self, field_manager: str) -> Client:
        """A client that writes only while this process leads."""
        return Client(
            self._transport,
            field_manager=field_manager,
            # A write must have ended, as far as this process can know, before another one may lead.
            write_timeout=self._options.lease_times.margin,
            before_write=self._fence.check if self._options.leader_elect else lambda call: None,
            on_response=self._answered,
        )

    def _answered(self, call: Call, status: int) -> None:
        self.metrics.answered(call, status)
        # A reconcile of many objects can outlast any limit while every request times out.
        self.supervisor.beat()

    def run(self) -> None:
        """Work until ``stop``. Raises ApiError when the cluster is not there or refuses us."""
        if self.pages is not None:
            self.pages.start()
        try:
            if self._start():
                wait_for(self._stopped)
        finally:
            self._leave()

    def _start(self) -> bool:
        """Begin to work; False when stopped before. Raises ApiError."""
        with self.supervisor.working("start"):
            if not self._insist(self._await_resources):
                return False
            self.loop.watch()
            if not (self._insist(self._await_caches) and self._insist(self._lead)):
                return False
            self._work()
            return self._insist(self._enqueue)

    def _insist(self, part: Callable[[], bool]) -> bool:
        """Take a part of the start, and again later and later after an exception other than ApiError.

        False when stopped before. To end the process would restart every thread for a fault in one of them.
        """
        backoff = Backoff(random.random)
        while True:
            try:
                return part()
            except ApiError:
                raise
            except Exception:
                self.supervisor.fault("start", "the start of the loop")
            self.supervisor.beat()
            if self._stopped.wait(backoff.next()):
                return False

    def stop(self) -> None:
        """Make ``run`` come to its end; from any thread, and from a signal handler."""
        self._stopped.set()

    def is_leader(self) -> bool:
        return self._working.is_set() and (not self._options.leader_elect or self._fence.holds())

    def health(self) -> tuple[bool, str]:
        """False once a thread is dead or hangs; an API server that does not respond is no reason."""
        return self.supervisor.health()

    def readiness(self) -> tuple[bool, str]:
        """True once the caches were filled; a process that stands by is ready, and so is one whose view is stale."""
        unready = "" if self._was_ready else self.loop.caches.unready()
        if unready:
            return False, f"{unready}\n"
        self._was_ready = True
        return True, "leading\n" if self.is_leader() else "standing by\n"

    def _await_resources(self) -> bool:
        """Wait until the CRDs are there, and say once what else is not; False when stopped before."""
        reported = False
        while True:
            found = self._served()
            if found is None:
                return False
            missing = [resource.full_name for resource in REQUIRED if resource not in found]
            if not missing:
                break
            if not reported:
                _LOG.warning("the cluster does not serve %s: waiting; apply the CRDs", " and ".join(missing))
                reported = True
            if self._stopped.wait(self._options.poll):
                return False
        absent = [resource for resource in RESOURCES if resource not in found]
        if absent and self._options.loop.steps:
            _LOG.warning("%s", absence(absent))
        return True

    def _served(self) -> set[Resource] | None:
        """What the cluster serves, asked until its server has an answer; None when stopped before."""
        backoff = Backoff(random.random)
        passing: tuple[type[ApiError], ...] = (Unavailable, TooManyRequests, OutcomeUnknown)
        if self._options.patient:
            passing = (*passing, Unreachable)
        while True:
            try:
                return served(self.client, RESOURCES)
            except passing as problem:
                _LOG.warning("%s; retrying", problem)
                if self._stopped.wait(backoff.next(problem.retry_after)):
                    return None

    def _await_caches(self) -> bool:
        reported = ""
        waited = 0.0
        while not self.loop.caches.ready():
            if self._stopped.wait(0.05):
                return False
            self.supervisor.beat()
            waited += 0.05
            unready = self.loop.caches.unready()
            if waited >= self._options.poll and unready != reported:
                _LOG.warning("waiting for: %s", unready)
                reported = unready
        self._settled()
        _LOG.info("the caches are filled: %d rollouts", len(self.loop.caches.rollouts.store))
        return True

    def _lead(self) -> bool:
        return not self._options.leader_elect or self._elector.acquire()

    def _work(self) -> None:
        self.recorder.start()
        if self._options.leader_elect:
            self._elector.keep()
        self._working.set()
        self.loop.work()
        for runnable in self.runnables:
            runnable.start()
        _LOG.info("working%s", "" if self._options.loop.steps else " (steps off: only SPAs are completed)")

    def _enqueue(self) -> bool:
        self.loop.begin()
        return True

    def _lead_changed(self, leads: bool) -> None:
        if leads:
            self.loop.begin()
        else:
            self.loop.pause()

    def _leave(self) -> None:
        if not self.loop.stop(self._options.drain):
            _LOG.warning("not everything was finished within %.0f s; the next process continues", self._options.drain)
        if self._working.is_set():
            for runnable in self.runnables:
                runnable.stop()
            self.recorder.stop()
        if self._options.leader_elect:
            self._elector.release()
        if self.pages is not None:
            self.pages.stop()
        _LOG.info("stopped")


def absence(absent: list[Resource]) -> str:
    """The warning that a cluster does not serve some resources."""
    names = ", ".join(resource.full_name for resource in absent)
    return f"the cluster does not serve {names}: nothing is deleted for lack of them"
