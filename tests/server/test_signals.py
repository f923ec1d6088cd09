"""Signals to the server: four end both processes in order, the others have no effect."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.live import ROOT, eventually, running
from tests.server.reviews import GOOD
from tests.server.test_worker import is_alive, worker_of

OTHERS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)


@pytest.fixture(autouse=True)
def hangups_end_children() -> Iterator[None]:
    """A test run that was itself started by nohup would pass on that hangups are ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_it_ends_in_order(number: signal.Signals, certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "0") as live:
        worker = worker_of(live)
        live.process.send_signal(number)
        assert live.process.wait(30) == 0
        assert not is_alive(worker)
        assert not live.answers(GOOD)


def test_the_others_do_nothing(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "0") as live:
        worker = worker_of(live)
        for number in OTHERS:
            live.process.send_signal(number)
            os.kill(worker, number)
        # The arbiter takes signals in turn: when it has ended, it has seen to all that came before.
        assert live.answers(GOOD)
        assert worker_of(live) == worker
        live.terminate()
        assert live.process.wait(30) == 0
        assert not is_alive(worker)
        assert not live.answers(GOOD), "no other server has taken the port"


def test_a_hangup_that_is_ignored_at_the_start_stays_ignored(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "0", before=["nohup"]) as live:
        worker = worker_of(live)
        live.process.send_signal(signal.SIGHUP)
        os.kill(worker, signal.SIGHUP)
        for pid in (live.process.pid, worker):
            assert is_ignored(pid, signal.SIGHUP)
        assert live.answers(GOOD)
        assert worker_of(live) == worker


def test_a_hangup_of_the_terminal_drains(certificates: Path, tmp_path: Path) -> None:
    """A terminal sends it to both processes at once: the worker ends as by SIGTERM, not by the signal itself."""
    with running(certificates, tmp_path, "--drain", "600") as live:
        worker = worker_of(live)
        for pid in (worker, live.process.pid):
            os.kill(pid, signal.SIGHUP)
        eventually(lambda: b"about to stop" in live.get("/readyz").body, "the worker drains")
        assert live.answers(GOOD), "calls are answered meanwhile"
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(60) == 0
        assert not is_alive(worker)


def test_an_interrupt_that_arrives_with_a_hangup_ends_it_at_once(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "600") as live:
        worker = worker_of(live)
        for number in (signal.SIGSTOP, signal.SIGHUP, signal.SIGINT, signal.SIGCONT):
            live.process.send_signal(number)
        assert live.process.wait(60) == 0
        assert not is_alive(worker)


def test_a_signal_before_it_is_ready_ends_it_as_soon(certificates: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "webhook", "serve", "--standalone", "--port", "0", "--drain", "600"]
    log = (tmp_path / "log").open("wb")
    with (
        log,
        subprocess.Popen([*command, "--cert-dir", str(certificates)], cwd=ROOT, stdout=log, stderr=log) as process,
    ):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            eventually(lambda: children.read_text() != "", "the worker was forked")
            process.send_signal(signal.SIGINT)
            # A worker that lost it would be waited for as long as it may take to drain.
            assert process.wait(60) == 0
        finally:
            process.kill()


def is_ignored(pid: int, number: signal.Signals) -> bool:
    lines = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return bool(int(lines["SigIgn"], 16) >> (number - 1) & 1)
