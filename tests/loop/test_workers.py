"""Workers: what becomes of a key, by how its work ended."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.fake_clock import FakeClock
from webhook.api import MalformedObject
from webhook.cluster.errors import Call, Conflict, Forbidden, Invalid, NotFound, TooManyRequests, Unavailable
from webhook.cluster.work_queue import WorkQueue
from webhook.loop.result import Result
from webhook.loop.routing import ROLLOUT, Key
from webhook.loop.workers import Workers

HELLO = Key(ROLLOUT, "default", "hello")
CALL = Call("patch", "rolloutorchestrators", "default", "hello")


class WorkerPool:
    def __init__(self, work: Callable[[Key], Result]) -> None:
        self.clock = FakeClock()
        self.queue: WorkQueue[Key] = WorkQueue(self.clock.monotonic, base=1.0)
        self.results: list[str] = []
        self.workers = Workers(self.queue, work, self, 1)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        self.results.append(result)

    def due_in(self) -> float | None:
        """Seconds until the key comes back, None when it does not."""
        for seconds in (0.0, 1.0, 2.0, 5.0, 7.0, 60.0):
            before = self.clock.elapsed
            self.clock.elapsed = seconds
            if self.queue.take(0.0) is not None:
                return seconds
            self.clock.elapsed = max(before, seconds)
        return None


def raises(problem: Exception) -> Callable[[Key], Result]:
    def work(_key: Key) -> Result:
        raise problem

    return work


@pytest.mark.parametrize(
    ("work", "result", "due_in"),
    [
        (lambda key: Result(), "done", None),
        (lambda key: Result(status_changed=True), "done", 0.0),
        (lambda key: Result(requeue_after=(5.0,)), "done", 5.0),
        (lambda key: Result(error=Conflict(CALL, "modified")), "conflict", 1.0),
        (lambda key: Result(error=RuntimeError("later"), requeue_after=(5.0,)), "retry", 1.0),
        (raises(Conflict(CALL, "modified")), "conflict", 1.0),
        (raises(NotFound(CALL, "gone")), "conflict", 1.0),
        (raises(Forbidden(CALL, "no")), "refused", 1.0),
        (raises(Invalid(CALL, "no")), "refused", 1.0),
        (raises(Unavailable(CALL, "500")), "retry", 1.0),
        (raises(TooManyRequests(CALL, "slow", retry_after=7.0)), "retry", 7.0),
        (raises(MalformedObject("spec", "must be an object")), "malformed", None),
        (raises(KeyError("a fault")), "crashed", 1.0),
    ],
)
def test_rows(work: Any, result: str, due_in: float | None, caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool(work)
    pool.queue.add(HELLO)
    assert pool.workers.step()
    assert pool.results == [result]
    assert pool.due_in() == due_in
    if result in ("refused", "malformed", "crashed"):
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_success_ends_the_backoff() -> None:
    outcomes = [Result(error=RuntimeError()), Result(error=RuntimeError()), Result(), Result(error=RuntimeError())]
    pool = WorkerPool(lambda key: outcomes.pop(0))
    for expected in (1.0, 2.0, None, 1.0):
        pool.queue.add(HELLO)
        pool.workers.step()
        assert pool.queue.failures(HELLO) == {1.0: 1, 2.0: 2, None: 0}[expected]
        pool.clock.advance(10.0)


def test_stop_finishes_what_is_due() -> None:
    seen: list[Key] = []

    def work(key: Key) -> Result:
        seen.append(key)
        return Result(status_changed=True)

    pool = WorkerPool(work)
    pool.queue.add(HELLO)
    pool.workers.start()
    assert pool.workers.stop(5.0)
    assert HELLO in seen
