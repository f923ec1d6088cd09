"""Children of the demo: they get ready, say why they did not, and never stay behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.demo.process import Process, ProcessFailed
from tests.waiting import eventually


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie whose parent has not looked yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_rest_of_the_line_that_says_it_is_ready(tmp_path: Path) -> None:
    child = Process(["--version"], tmp_path / "log")

    assert child.wait_for_line("stagegate ", 20.0)
    child.stop()


def test_a_child_that_ends_says_why(tmp_path: Path) -> None:
    child = Process(["serve", "--cert-dir", str(tmp_path / "none")], tmp_path / "log")

    with pytest.raises(ProcessFailed, match=r"stagegate serve ended: .*none: no such directory"):
        child.wait_for_line("serving ", 20.0)
    child.stop()


def test_a_child_that_is_not_ready_in_time_is_given_up(tmp_path: Path) -> None:
    child = Process(["--version"], tmp_path / "log")

    with pytest.raises(ProcessFailed, match=r"was not ready within 0 s|ended: stagegate "):
        child.wait_for_line("never ", 0.0)
    child.stop()


def serving(directory: Path) -> list[str]:
    certificates = directory / "certs"
    subprocess.run(
        [sys.executable, "-m", "webhook", "certs", "init", str(certificates), "--host", "127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return ["serve", "--standalone", "--port", "0", "--cert-dir", str(certificates)]


def test_stop_ends_the_child_and_all_it_started(tmp_path: Path) -> None:
    child = Process(serving(tmp_path), tmp_path / "log")
    child.wait_for_line("serving ", 20.0)

    child.stop()
    child.stop()

    assert not child.running
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only the kernel of Linux ties a child to its parent")
def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sandbox.demo.process import Process; "
        "child = Process(sys.argv[2:], Path(sys.argv[1])); child.wait_for_line('serving ', 20.0); "
        "print(child.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log"), *serving(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)

        parent.send_signal(signal.SIGKILL)

    eventually(lambda: not alive(pid), "the process is gone")
