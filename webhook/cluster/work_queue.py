"""A work queue with client-go's semantics: no key is ever processed by two workers at once."""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)


class QueueMetrics(Protocol):
    """The metrics of a queue, in seconds. They are called while the queue is locked, so they must be quick."""

    def depth(self, keys: int) -> None: ...

    def waited(self, seconds: float) -> None:
        """The time of a key from due to taken."""
        ...

    def worked(self, seconds: float) -> None:
        """The time of a key from taken to done."""
        ...

    def retried(self) -> None: ...


class _NoMetrics:
    def depth(self, keys: int) -> None:
        pass

    def waited(self, seconds: float) -> None:
        pass

    def worked(self, seconds: float) -> None:
        pass

    def retried(self) -> None:
        pass


@dataclass(slots=True)
class TokenBucket:
    """Allows ``burst`` at once and ``rate`` a second over time."""

    rate: float
    burst: int
    _tokens: float = 0.0
    _at: float | None = None

    def reserve(self, now: float) -> float:
        """Take a token in any case; return the seconds until it is available."""
        self._refill(now)
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self.rate)

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._refill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def is_full(self, now: float) -> bool:
        """True if a new bucket would allow no more than this one."""
        self._refill(now)
        return self._tokens >= self.burst

    def _refill(self, now: float) -> None:
        if self._at is None:
            self._tokens, self._at = float(self.burst), now
        elif now > self._at:
            self._tokens = min(float(self.burst), self._tokens + (now - self._at) * self.rate)
            self._at = now


class Schedule(Generic[K]):
    """The queue without threads or clocks: every method takes the time.

    A key is due (once, in order of arrival), in work (with one worker), or waiting for its time. A key that is added
    while in work is due again when done. Of several times for one key the earliest counts.
    """

    def __init__(self) -> None:
        self._due: deque[K] = deque()
        self._since: dict[K, float] = {}
        self._again: dict[K, float] = {}
        self._in_work: dict[K, float] = {}
        self._waiting: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0

    def add(self, key: K, now: float) -> None:
        if key in self._in_work:
            self._again.setdefault(key, now)
        elif key not in self._since:
            self._since[key] = now
            self._due.append(key)

    def add_at(self, key: K, when: float) -> None:
        """Make a key due at a time, unless it is due earlier."""
        known = self._waiting.get(key)
        if known is not None and known <= when:
            return
        self._waiting[key] = when
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, key))

    def take(self, now: float) -> tuple[K, float] | None:
        """The next key and how long it has been due, or None. The key is in work until ``done``."""
        self._wake(now)
        if not self._due:
            return None
        key = self._due.popleft()
        self._in_work[key] = now
        return key, max(0.0, now - self._since.pop(key))

    def done(self, key: K, now: float) -> float:
        """Finish a key; return how long it was in work."""
        taken = self._in_work.pop(key)
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)
        return max(0.0, now - taken)

    def forget_waiting(self) -> None:
        self._waiting.clear()
        self._heap.clear()

    def next_time(self) -> float | None:
        """When the next waiting key is due; None if no key is waiting."""
        while self._heap and self._waiting.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    @property
    def depth(self) -> int:
        """Keys that are due and not in work."""
        return len(self._due)

    @property
    def in_work(self) -> int:
        return len(self._in_work)

    def _wake(self, now: float) -> None:
        while (when := self.next_time()) is not None and when <= now:
            key = heapq.heappop(self._heap)[2]
            del self._waiting[key]
            self.add(key, when)


class WorkQueue(Generic[K]):
    """The queue that workers share: ``take`` a key, do the work, ``done``; after a failure also ``add_rate_limited``.

    The delay after the n-th failure of a key is ``base`` x 2^(n-1) seconds, at most ``cap``. A key that is added by a
    change meanwhile, and fails before that delay is over, has not failed once more: else a rollout with many changes
    would wait long after a short outage. All retries share one bucket (``rate`` a second, ``burst`` at once).
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        base: float = 0.1,
        cap: float = 60.0,
        rate: float = 20.0,
        burst: int = 100,
        metrics: QueueMetrics | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._base = base
        self._cap = cap
        self._bucket = TokenBucket(rate, burst)
        self._metrics: QueueMetrics = metrics or _NoMetrics()
        self._schedule: Schedule[K] = Schedule()
        self._failures: dict[K, tuple[int, float]] = {}
        """How often a key has failed, and when the delay of the last failure that counts is over."""
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._idle = threading.Condition(lock)
        self._closed = False

    def add(self, key: K) -> None:
        """Make a key due now; ignored after ``close``."""
        with self._changed:
            if not self._closed:
                self._schedule.add(key, self._monotonic())
                self._notify()

    def add_after(self, key: K, seconds: float) -> None:
        """Make a key due after some seconds; the earliest time counts."""
        if seconds <= 0:
            self.add(key)
            return
        with self._changed:
            if not self._closed:
                self._schedule.add_at(key, self._monotonic() + seconds)
                self._notify()

    def add_rate_limited(self, key: K, at_least: float | None = None) -> float:
        """Retry a key after its backoff, at least ``at_least`` seconds from now; return the delay in seconds."""
        with self._changed:
            now = self._monotonic()
            failures, until = self._failures.get(key, (0, now))
            counts = now >= until
            failures += counts
            own = min(self._base * 2.0 ** min(failures - 1, 60), self._cap)
            self._failures[key] = failures, now + own if counts else until
            delay = max(own, self._bucket.reserve(now), at_least or 0.0)
            self._metrics.retried()
            if not self._closed:
                self._schedule.add_at(key, now + delay)
                self._notify()
            return delay

    def forget(self, key: K) -> None:
        """Reset the backoff of a key: its next failure counts as the first."""
        with self._changed:
            self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        return self._failures.get(key, (0, 0.0))[0]

    def take(self, timeout: float | None = None) -> K | None:
        """Wait for a key; None if the queue is closed and empty, or after ``timeout`` seconds without one."""
        with self._changed:
            deadline = None if timeout is None else self._monotonic() + timeout
            while True:
                now = self._monotonic()
                taken = self._schedule.take(now)
                if taken is not None:
                    self._metrics.waited(taken[1])
                    self._notify()
                    return taken[0]
                if self._closed or (deadline is not None and now >= deadline):
                    self._notify()
                    return None
                times = [time for time in (self._schedule.next_time(), deadline) if time is not None]
                self._changed.wait(max(0.0, min(times) - now) if times else None)

    def done(self, key: K) -> None:
        """Finish a key; it is due again if it was added meanwhile."""
        with self._changed:
            self._metrics.worked(self._schedule.done(key, self._monotonic()))
            self._notify()
            if self._is_idle():
                self._idle.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Accept no more keys. Keys that are due can still be taken; keys that wait for a time are dropped."""
        with self._changed:
            self._closed = True
            self._schedule.forget_waiting()
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """After ``close``: wait until every due key is done; False if that takes longer than ``seconds``."""
        with self._changed:
            return self._idle.wait_for(self._is_idle, timeout=seconds)

    def __len__(self) -> int:
        return self._schedule.depth

    def _is_idle(self) -> bool:
        return self._schedule.depth == 0 and self._schedule.in_work == 0

    def _notify(self) -> None:
        """Wake one waiting worker, to take a due key or to wait for the next time in place of a busy one."""
        self._metrics.depth(self._schedule.depth)
        if self._schedule.depth or self._schedule.next_time() is not None:
            self._changed.notify()
