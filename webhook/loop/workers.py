"""Workers: threads that take keys from the queue, and what becomes of a key whose reconcile failed."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from webhook.api import MalformedObject
from webhook.cluster.errors import ApiError, Conflict, NotFound
from webhook.cluster.supervisor import Supervisor
from webhook.cluster.work_queue import WorkQueue
from webhook.loop.result import Result
from webhook.loop.routing import Key

_LOG: Final = logging.getLogger(__name__)

DONE: Final = "done"
CONFLICT: Final = "conflict"
REFUSED: Final = "refused"
RETRY: Final = "retry"
MALFORMED: Final = "malformed"
CRASHED: Final = "crashed"
_IDLE_SECONDS: Final = 30.0
"""How long a worker waits for a key before it checks whether the queue is closed."""
RESULTS: Final = (DONE, CONFLICT, REFUSED, RETRY, MALFORMED, CRASHED)


class ReconcileMetrics(Protocol):
    def reconciled(self, kind: str, result: str, seconds: float) -> None: ...


class Workers:
    """``count`` threads that call ``reconcile`` for one key at a time each, and requeue it as the result says."""

    def __init__(
        self,
        queue: WorkQueue[Key],
        reconcile: Callable[[Key], Result],
        metrics: ReconcileMetrics,
        count: int,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics
        self._count = count
        self._supervisor = supervisor or Supervisor()
        self._stopped = threading.Event()

    def start(self) -> None:
        for number in range(self._count):
            self._supervisor.start("worker", self._turn, self._stopped.wait, name=f"worker {number}")

    def stop(self, seconds: float) -> bool:
        """Take no more keys and finish what is due; False if that takes longer."""
        self._queue.close()
        return self._queue.drain(seconds)

    def step(self, timeout: float | None = 0.0) -> bool:
        """Reconcile one key; False if none was due."""
        key = self._queue.take(timeout)
        if key is None:
            return False
        started = time.monotonic()
        try:
            result = self._carry_out(key)
        finally:
            self._queue.done(key)
        self._metrics.reconciled(key.kind, result, time.monotonic() - started)
        return True

    def _turn(self) -> float | None:
        worked = self.step(_IDLE_SECONDS)
        return 0.0 if worked or not self._queue.closed else None

    def _carry_out(self, key: Key) -> str:
        try:
            reconciled = self._reconcile(key)
        except MalformedObject as problem:
            # Another try would read the same; the next change of the object requeues it.
            _LOG.warning("%s: not readable: %s", key, problem)
            return MALFORMED
        except ApiError as problem:
            return self._failed(key, problem)
        except Exception:
            self._supervisor.fault("worker", f"{key}, which is tried again")
            self._queue.add_rate_limited(key)
            return CRASHED
        if reconciled.requeue_after:
            self._queue.add_after(key, reconciled.requeue_after[0])
        if reconciled.retry is not None:
            return self._failed(key, reconciled.retry)
        self._queue.forget(key)
        if reconciled.status_changed:
            # The new status may already allow the next step.
            self._queue.add(key)
        return DONE

    def _failed(self, key: Key, problem: Exception) -> str:
        wish = problem.retry_after if isinstance(problem, ApiError) else None
        delay = self._queue.add_rate_limited(key, wish)
        result = _result_of(problem)
        level = logging.INFO if result in (CONFLICT, RETRY) else logging.WARNING
        _LOG.log(level, "%s: %s; again in %.1f s", key, problem, delay)
        return result


def _result_of(problem: Exception) -> str:
    if isinstance(problem, Conflict | NotFound):
        return CONFLICT
    return REFUSED if isinstance(problem, ApiError) and problem.is_refusal else RETRY
