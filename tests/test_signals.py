"""Which signals end a process in good order, and that the rest do nothing."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from webhook.cluster.supervisor import Supervisor
from webhook.signals import HANDLED, end_on_signal, ending_signals, ignore_the_rest

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
OTHERS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in HANDLED}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_it_ends(number: signal.Signals) -> None:
    ended = threading.Event()
    end_on_signal(ended.set)
    signal.raise_signal(number)
    assert ended.wait(30)


@pytest.mark.parametrize("number", OTHERS)
def test_it_does_nothing(number: signal.Signals) -> None:
    ended = threading.Event()
    end_on_signal(ended.set)
    signal.raise_signal(number)
    assert signal.getsignal(number) == signal.SIG_IGN
    assert not ended.is_set()


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_on_signal(lambda: None)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert ending_signals() == (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def test_a_lock_of_the_main_thread_is_no_matter() -> None:
    """A handler that took it would wait for ever for the code that it interrupts."""
    lock, ended = threading.Lock(), threading.Event()

    def end() -> None:
        with lock:
            ended.set()

    end_on_signal(end)
    with lock:
        signal.raise_signal(signal.SIGTERM)
        assert not ended.is_set()
    assert ended.wait(30)


def test_each_signal_counts() -> None:
    count = threading.Semaphore(0)
    end_on_signal(count.release)
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
    assert all(count.acquire(timeout=30) for _ in range(2))


def test_a_fault_in_ending_is_logged_and_the_next_signal_ends(caplog: pytest.LogCaptureFixture) -> None:
    count, left = threading.Semaphore(0), [KeyError("a fault in ending")]

    def end() -> None:
        if left:
            raise left.pop()
        count.release()

    end_on_signal(end)
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
    assert count.acquire(timeout=30)
    assert "a fault in ending" in caplog.text


def test_a_fault_in_ending_is_counted_by_a_supervisor(caplog: pytest.LogCaptureFixture) -> None:
    count = threading.Semaphore(0)
    faults: list[str] = []

    def counted(loop: str) -> None:
        faults.append(loop)
        count.release()

    end_on_signal(lambda: [].pop(), Supervisor(count=counted).fault)
    signal.raise_signal(signal.SIGTERM)
    assert count.acquire(timeout=30)
    assert (faults, "pop from empty list" in caplog.text) == (["thread"], True)


def test_the_rest_can_be_ignored_alone() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    ignore_the_rest()
    assert [signal.getsignal(number) for number in ENDING] == before
    assert {signal.getsignal(number) for number in OTHERS} == {signal.SIG_IGN}


WAITING = """
import signal, threading
from webhook.signals import end_on_signal, wait_for
ended = threading.Event()
end_on_signal(ended.set)
# Another thread gets the signal, and nothing interrupts the wait: as if it had come right before.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", flush=True)
wait_for(ended)
print("ended")
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it reads /proc")
def test_a_signal_that_does_not_interrupt_the_wait_ends_it_all_the_same() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        state = Path(f"/proc/{process.pid}/stat")
        eventually(lambda: state.read_text().rpartition(") ")[2].startswith("S"), "the main thread waits")
        process.terminate()
        try:
            assert process.communicate(timeout=30)[0] == "ended\n"
        finally:
            process.kill()
