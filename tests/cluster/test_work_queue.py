"""The work queue against a plain model, and its times row by row."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cluster.fake_clock import FakeClock
from webhook.cluster.work_queue import Schedule, TokenBucket, WorkQueue

KEYS = st.sampled_from("abc")
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS),
        st.tuples(st.just("add at"), KEYS, st.integers(0, 20)),
        st.tuples(st.just("take")),
        st.tuples(st.just("done"), st.integers(0, 2)),
        st.tuples(st.just("pass"), st.integers(1, 10)),
    ),
    max_size=60,
)


class Model:
    """The queue as a sentence: a key is due if it was added since it was last taken, and is in no hands."""

    def __init__(self) -> None:
        self.due: list[str] = []
        self.again: list[str] = []
        self.in_work: list[str] = []
        self.waiting: dict[str, tuple[float, int]] = {}
        self.sequence = 0

    def add(self, key: str) -> None:
        if key in self.in_work:
            if key not in self.again:
                self.again.append(key)
        elif key not in self.due:
            self.due.append(key)

    def wake(self, now: float) -> None:
        for key in sorted((k for k, (when, _) in self.waiting.items() if when <= now), key=self.waiting.__getitem__):
            del self.waiting[key]
            self.add(key)


@given(OPERATIONS)
def test_a_schedule_does_what_the_model_says(operations: list[tuple[object, ...]]) -> None:
    schedule: Schedule[str] = Schedule()
    model, now = Model(), 0.0
    for operation in operations:
        match operation:
            case ("add", str(key)):
                schedule.add(key, now)
                model.add(key)
            case ("add at", str(key), int(seconds)):
                schedule.add_at(key, now + seconds)
                model.sequence += 1
                if key not in model.waiting or now + seconds < model.waiting[key][0]:
                    model.waiting[key] = (now + seconds, model.sequence)
            case ("take",):
                model.wake(now)
                taken = schedule.take(now)
                assert (taken[0] if taken else None) == (model.due[0] if model.due else None)
                if taken:
                    assert taken[0] not in model.in_work, "one key, two workers"
                    model.in_work.append(model.due.pop(0))
            case ("done", int(index)) if model.in_work:
                key = model.in_work.pop(index % len(model.in_work))
                schedule.done(key, now)
                if key in model.again:
                    model.again.remove(key)
                    model.add(key)
            case ("pass", int(seconds)):
                now += seconds
        assert schedule.depth == len(model.due)
        assert schedule.in_work == len(model.in_work)
    times = [when for when, _ in model.waiting.values()]
    assert schedule.next_time() == (min(times) if times else None)


def queue(clock: FakeClock) -> WorkQueue[str]:
    return WorkQueue(clock.monotonic, base=1.0, cap=10.0, rate=100.0, burst=1000)


def test_a_key_added_while_in_work_is_kept_and_comes_back_once() -> None:
    work = queue(FakeClock())
    work.add("a")
    assert work.take(0) == "a"
    work.add("a")
    work.add("a")
    assert work.take(0) is None, "the key is in work"
    work.done("a")
    assert work.take(0) == "a"
    work.done("a")
    assert work.take(0) is None


@pytest.mark.parametrize(("first", "second", "due_after"), [(5, 9, 5), (9, 5, 5), (5, 5, 5)])
def test_of_two_times_the_earlier_counts(first: float, second: float, due_after: float) -> None:
    clock = FakeClock()
    work = queue(clock)
    work.add_after("a", first)
    work.add_after("a", second)
    clock.advance(due_after - 0.1)
    assert work.take(0) is None
    clock.advance(0.1)
    assert work.take(0) == "a"
    work.done("a")
    clock.advance(100)
    assert work.take(0) is None, "the later time was dropped"


def test_each_failure_of_a_key_doubles_its_delay_up_to_the_cap_until_it_is_well() -> None:
    clock = FakeClock()
    work = queue(clock)
    delays = []
    for _ in range(6):
        delays.append(work.add_rate_limited("a"))
        clock.advance(delays[-1])
    assert delays == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert work.add_rate_limited("b") == 1.0
    work.forget("a")
    assert work.add_rate_limited("a") == 1.0


def test_failures_of_a_key_that_changes_all_the_time_do_not_outlast_what_makes_them_fail() -> None:
    clock = FakeClock()
    work = queue(clock)
    delays = []
    for _ in range(10):
        delays.append(work.add_rate_limited("a"))
        clock.advance(0.3)
    assert delays == [1.0] * 4 + [2.0] * 6


def test_the_servers_wish_outweighs_a_shorter_backoff() -> None:
    assert queue(FakeClock()).add_rate_limited("a", at_least=7.5) == 7.5


def test_all_retries_share_one_bucket() -> None:
    work: WorkQueue[int] = WorkQueue(FakeClock().monotonic, base=0.0, rate=2.0, burst=3)
    assert [work.add_rate_limited(key) for key in range(6)] == [0.0, 0.0, 0.0, 0.5, 1.0, 1.5]


@given(st.lists(st.floats(0.0, 3.0), max_size=40), st.floats(0.5, 5.0), st.integers(1, 5))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    bucket, now, given_at = TokenBucket(rate, burst), 10.0, []
    for gap in gaps:
        now += gap
        if bucket.take(now):
            given_at.append(now)
    for index, start in enumerate(given_at):
        for count, end in enumerate(given_at[index:], start=1):
            assert count <= burst + rate * (end - start) + 1e-6


def test_a_closed_queue_hands_out_what_is_due_drops_what_waits_and_takes_nothing_in() -> None:
    clock = FakeClock()
    work = queue(clock)
    work.add("due")
    work.add_after("waiting", 1)
    work.close()
    work.add("late")
    clock.advance(5)
    assert not work.drain(0)
    assert work.take() == "due"
    assert work.take() is None
    assert not work.drain(0), "a key is still in work"
    work.done("due")
    assert work.drain(0)


def test_an_add_wakes_a_worker_that_waits() -> None:
    work = queue(FakeClock())
    taken: list[str | None] = []
    worker = threading.Thread(target=lambda: taken.append(work.take()))
    worker.start()
    work.add("a")
    worker.join(60)
    assert taken == ["a"]


def test_an_add_wakes_one_worker_and_lets_the_others_sleep() -> None:
    looks, all_wait, done = 0, threading.Event(), threading.Semaphore(0)

    def monotonic() -> float:
        nonlocal looks
        looks += 1
        if looks == 8:
            all_wait.set()
        return 0.0

    work: WorkQueue[str] = WorkQueue(monotonic)

    def run() -> None:
        while (key := work.take()) is not None:
            work.done(key)
            done.release()

    workers = [threading.Thread(target=run) for _ in range(8)]
    for worker in workers:
        worker.start()
    assert all_wait.wait(60)
    for _ in range(20):
        work.add("a")
        assert done.acquire(timeout=5)
    seen = looks
    work.close()
    for worker in workers:
        worker.join(60)
    assert seen <= 8 + 20 * 4, "one read for the add, one of the worker that it wakes, one as it is done, one for more"


@given(st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.002, 0.01]), min_size=1, max_size=30), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_nothing_is_left_lying_while_a_worker_sleeps(delays: list[float], count: int) -> None:
    work: WorkQueue[int] = WorkQueue(time.monotonic)
    left, over = set(range(len(delays))), threading.Event()

    def run() -> None:
        while (key := work.take()) is not None:
            left.discard(key)
            work.done(key)
            if not left:
                over.set()

    workers = [threading.Thread(target=run) for _ in range(count)]
    for worker in workers:
        worker.start()
    for key, delay in enumerate(delays):
        work.add_after(key, delay)
    assert over.wait(60)
    work.close()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()


class CountingMetrics:
    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []

    def depth(self, keys: int) -> None:
        self.calls.append(("depth", keys))

    def waited(self, seconds: float) -> None:
        self.calls.append(("waited", seconds))

    def worked(self, seconds: float) -> None:
        self.calls.append(("worked", seconds))

    def retried(self) -> None:
        self.calls.append(("retried", 1))


def test_metrics_get_the_depth_and_how_long_keys_wait_and_are_worked_on() -> None:
    clock, metrics = FakeClock(), CountingMetrics()
    work: WorkQueue[str] = WorkQueue(clock.monotonic, metrics=metrics)
    work.add("a")
    clock.advance(2)
    work.take()
    clock.advance(3)
    work.done("a")
    assert metrics.calls == [("depth", 1), ("waited", 2), ("depth", 0), ("worked", 3), ("depth", 0)]
