"""The supervisor: what becomes of a loop whose turns raise, end, or take too long."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.fake_clock import FakeClock
from webhook.cluster.supervisor import Supervisor


class Supervised:
    """A supervisor with a clock of its own. Loops run in real threads, and their waits move the clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.faults: list[str] = []
        self.supervisor = Supervisor(self.clock.monotonic, self.faults.append, random_number=lambda: 0.0)
        self.waits: list[float] = []
        self.most_waits = 1000

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.advance(seconds)
        return len(self.waits) > self.most_waits

    def run(self, turn: Callable[[], float | None], **options: Any) -> None:
        """Until the loop is over."""
        self.supervisor.start("worker", turn, self.wait, **options).join(20)

    def problems(self, later: float = 0.0) -> list[str]:
        self.clock.advance(later)
        return self.supervisor.problems()


def answers(*turns: float | BaseException | None) -> Callable[[], float | None]:
    """A turn that answers or raises these, one after the other."""
    left = list(turns)

    def turn() -> float | None:
        one = left.pop(0)
        if isinstance(one, BaseException):
            raise one
        return one

    return turn


def test_turns_are_taken_with_the_waits_that_they_ask_for_until_one_is_the_last() -> None:
    supervised = Supervised()
    supervised.run(answers(3.0, 0.0, 5.0, None), after=2.0)
    assert supervised.waits == [2.0, 3.0, 5.0]
    assert (supervised.faults, supervised.problems()) == ([], [])


def test_a_turn_that_raises_is_logged_whole_counted_and_tried_again_later_and_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    supervised = Supervised()
    supervised.run(answers(KeyError("metadata"), ValueError("x"), 0.0, KeyError("y"), None), name="worker 3")
    assert supervised.waits == [1.0, 2.0, 1.0]
    assert supervised.faults == ["worker"] * 3
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert all(record.exc_info and "worker 3" in record.getMessage() for record in caplog.records)
    assert supervised.problems() == []


def test_the_backoff_has_an_end() -> None:
    supervised = Supervised()
    supervised.run(answers(*[KeyError("again")] * 8, None))
    assert supervised.waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_long_wait_is_a_turn_every_minute() -> None:
    supervised = Supervised()
    supervised.run(answers(150.0, None), after=61.0)
    assert supervised.waits == [60.0, 1.0, 60.0, 60.0, 30.0]


def test_a_wait_without_end_can_be_ended() -> None:
    supervised = Supervised()
    supervised.most_waits = 3
    supervised.run(answers(), after=1e300)
    assert supervised.waits == [60.0] * 4


@pytest.mark.parametrize("problem", [SystemExit("an end"), KeyboardInterrupt("an end"), GeneratorExit("an end")])
def test_a_thread_that_is_dead_is_a_problem_logged_and_counted(
    problem: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    supervised = Supervised()
    supervised.run(answers(problem), name="worker 1")
    assert (supervised.problems(), supervised.faults) == (["worker 1: dead"], ["worker"])
    (record,) = caplog.records
    assert record.getMessage() == "unexpected exception: worker 1, which ends; the process continues"
    assert record.exc_info is not None
    assert record.exc_info[1] is problem


@pytest.mark.parametrize("broken", ["_LOG.error", "_LOG.exception", "count"])
def test_what_reports_a_fault_raises_none(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    def fails(*_arguments: object, **_options: object) -> None:
        raise KeyError("a loop that nobody knows")

    for name in {"_LOG.error", broken} if broken.startswith("_LOG") else ():
        monkeypatch.setattr(f"webhook.cluster.supervisor.{name}", fails)
    count = counted.append if broken == "_LOG.error" else fails
    Supervisor(count=count).fault("worker", problem=ValueError())
    assert counted == (["worker"] if broken == "_LOG.error" else [])


def test_a_thread_goes_on_when_its_faults_cannot_be_counted(caplog: pytest.LogCaptureFixture) -> None:
    supervised = Supervised()

    def fails(loop: str) -> None:
        raise KeyError(loop)

    supervised.supervisor._count = fails
    supervised.run(answers(ValueError("the first"), 0.0, None))
    assert supervised.problems() == []
    assert [record.getMessage() for record in caplog.records] == [
        "unexpected exception: worker; the process continues",
        "an exception of worker is not counted",
    ]


def test_a_loop_that_hangs_is_a_problem_until_it_goes_on() -> None:
    supervised = Supervised()
    hangs, go_on = threading.Event(), threading.Event()

    def turn() -> float | None:
        hangs.set()
        go_on.wait(20)
        supervised.supervisor.beat()
        return None

    thread = supervised.supervisor.start("worker", turn, supervised.wait)
    assert hangs.wait(20)
    assert supervised.problems(later=300.0) == []
    assert supervised.problems(later=1.0) == ["worker: no turn for 301 s"]
    go_on.set()
    thread.join(20)
    assert supervised.problems() == []


def test_within_a_long_turn_a_loop_shows_signs_of_life() -> None:
    supervised = Supervised()
    found: list[str] = []

    def turn() -> None:
        for _ in range(10):
            supervised.clock.advance(200.0)
            supervised.supervisor.beat()
            found.extend(supervised.supervisor.problems())

    supervised.run(turn)
    assert found == []


def test_a_sign_of_life_of_another_thread_is_none_of_a_loop() -> None:
    Supervised().supervisor.beat()


async def _task(supervised: Supervised, turn: Callable[[], float | None]) -> None:
    async def awaited() -> float | None:
        return turn()

    await supervised.supervisor.keep("certificate", awaited)


def test_a_task_whose_turn_raises_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    supervised, waits = Supervised(), []
    sleep = asyncio.sleep

    async def passed(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", passed)
    asyncio.run(_task(supervised, answers(KeyError("metadata"), ValueError("x"), 0.25, None)))
    assert waits == [0.0, 1.0, 2.0, 0.25]
    assert supervised.faults == ["certificate"] * 2
    assert all(record.exc_info for record in caplog.records)
    assert supervised.problems() == []


def test_a_task_that_is_cancelled_is_no_problem() -> None:
    supervised = Supervised()

    async def run() -> None:
        task = asyncio.create_task(_task(supervised, lambda: 3600.0))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    assert supervised.problems(later=9999.0) == []


def test_a_task_that_hangs_is_a_problem() -> None:
    supervised = Supervised()

    async def run() -> list[str]:
        task = asyncio.create_task(_task(supervised, lambda: 3600.0))
        await asyncio.sleep(0.01)
        found = supervised.problems(later=301.0)
        task.cancel()
        return found

    assert asyncio.run(run()) == ["certificate: no turn for 301 s"]


def test_work_that_is_no_loop_hangs_when_it_takes_too_long_and_is_forgotten_at_its_end() -> None:
    supervised = Supervised()
    with supervised.supervisor.working("pin"):
        assert supervised.problems(later=300.0) == []
        assert supervised.problems(later=2.0) == ["pin: no turn for 302 s"]
    assert supervised.problems() == []
    with pytest.raises(KeyError), supervised.supervisor.working("pin"):
        raise KeyError("a fault")
    assert supervised.problems(later=400.0) == []


def test_work_that_is_no_loop_can_show_signs_of_life() -> None:
    supervised = Supervised()
    with supervised.supervisor.working("start"):
        for _ in range(3):
            assert supervised.problems(later=300.0) == []
            supervised.supervisor.beat()


@pytest.fixture
def reporting(monkeypatch: pytest.MonkeyPatch) -> Supervised:
    """A supervisor to which this process reports what nobody catches."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    supervised = Supervised()
    supervised.supervisor.report_uncaught()
    return supervised


def test_a_thread_of_others_that_raises_is_logged_whole_and_counted(
    reporting: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise KeyError("a fault")

    for target in (fails, sys.exit):
        thread = threading.Thread(target=target, name="waitress-0")
        thread.start()
        thread.join(20)
    (record,) = caplog.records
    assert record.getMessage() == "unexpected exception: waitress-0, which ends; the process continues"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert reporting.faults == ["thread"]


def test_a_supervised_thread_that_dies_is_counted_once(reporting: Supervised, caplog: pytest.LogCaptureFixture) -> None:
    reporting.run(answers(GeneratorExit("not an Exception")))
    assert len(caplog.records) == 1
    assert (reporting.faults, reporting.problems()) == (["worker"], ["worker: dead"])


def test_an_exception_in_a_finalizer_is_logged_and_counted(
    reporting: Supervised, caplog: pytest.LogCaptureFixture
) -> None:
    class Fails:
        def __del__(self) -> None:
            raise KeyError("a fault")

    Fails()
    assert "a fault" in caplog.text
    assert reporting.faults == ["thread"]
