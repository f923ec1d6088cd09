"""What becomes of the server when one of its two processes is killed."""

import os
import resource
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.server.live import Live, eventually, running
from tests.server.reviews import GOOD


def worker_of(live: Live) -> int:
    """The process that serves: the only child of the one that was started."""
    pid = live.process.pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_worker_is_replaced(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path) as live:
        first = worker_of(live)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: live.answers(GOOD), "a new worker answers on the same port")
        assert worker_of(live) != first


def test_a_worker_without_its_parent_ends(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path, "--drain", "0") as live:
        worker = worker_of(live)
        live.process.kill()
        eventually(lambda: not is_alive(worker), "the worker is gone")


def test_a_worker_without_free_descriptors_recovers(certificates: Path, tmp_path: Path) -> None:
    with running(certificates, tmp_path) as live, ExitStack() as stack:
        worker = worker_of(live)
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 10, used + 10))
        crowd = [stack.enter_context(socket.create_connection(("localhost", live.port), 10)) for _ in range(40)]
        eventually(lambda: "cannot accept a connection" in live.log.read_text(), "the worker says so")
        for connection in crowd:
            connection.close()
        eventually(lambda: live.answers(GOOD), "calls are answered again")
        assert worker_of(live) == worker
        assert live.log.read_text().count("cannot accept") < 200
