"""Hooks of gunicorn that raise: the process ends with the traceback in its log, and its pod starts anew.

A worker that fails later is replaced within the pod.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.server.live import ROOT, eventually, running
from tests.server.reviews import GOOD
from tests.server.test_faults_in_a_worker import FAULT
from tests.server.test_hanging_worker import is_counted

APPLICATION: Final = "webhook.server.application"
WORKER: Final = "webhook.server.worker.StagegateWorker"

AT_THE_START: Final = [
    f"{APPLICATION}.Application.load",
    f"{APPLICATION}.StagegateArbiter.init_signals",
    f"{APPLICATION}.StagegateArbiter.spawn_worker",
    f"{APPLICATION}.StagegateArbiter.wait_for_signals",
    f"{WORKER}.__init__",
    f"{WORKER}.init_process",
    f"{WORKER}.init_signals",
    "webhook.server.gunicorn_log.GunicornLog.setup",
]


def broken(folder: Path, place: str) -> dict[str, str]:
    """The environment of a process in which this place raises once."""
    (folder / "sitecustomize.py").write_text(FAULT)
    (folder / "places").write_text(place)
    (folder / "fault").write_text(f"{'.'.join(place.split('.')[-2:])} 1")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("place", AT_THE_START)
def test_a_hook_that_raises_ends_the_process_with_its_traceback(place: str, certificates: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "webhook", "serve", "--standalone", "--cert-dir", str(certificates), "--port", "0"]
    environment = {**os.environ, **broken(tmp_path, place)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode not in (0, -signal.SIGKILL)
    assert "a fault in" in done.stderr
    assert "Traceback (most recent call last)" in done.stderr


def test_a_worker_that_fails_once_it_runs_is_replaced_and_counted(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, environment=broken(tmp_path, f"{WORKER}.run")) as live:
        assert live.answers(GOOD)
        assert "a fault in" in live.log.read_text()
        assert "Traceback (most recent call last)" in live.log.read_text()
        eventually(lambda: is_counted(live, 1), "it is counted")


def test_a_hangup_whose_handler_raises_ends_the_process(certificates: Path, tmp_path: Path) -> None:
    place = f"{APPLICATION}.StagegateArbiter.handle_hup"
    with running(certificates, tmp_path, environment=broken(tmp_path, place)) as live:
        live.process.send_signal(signal.SIGHUP)
        assert live.process.wait(60) != 0
        assert "a fault in" in live.log.read_text()
        assert "Traceback (most recent call last)" in live.log.read_text()
