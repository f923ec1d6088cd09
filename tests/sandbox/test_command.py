"""``python -m sandbox`` from its first line to Ctrl-C."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.wire import Api


@pytest.fixture(autouse=True)
def hangups_end_children() -> Iterator[None]:
    """A test run that was itself started by nohup would pass on that hangups are ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP])
def test_it_tells_where_it_is_and_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    folder = tmp_path / "here"
    command = [sys.executable, "-m", "sandbox", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        assert first.startswith("The sandbox is at https://127.0.0.1:")
        with Api(folder / "kubeconfig") as api:
            assert api.get("/readyz").body == "ok"
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU):
                process.send_signal(number)
            assert api.get("/readyz").body == "ok"
        process.send_signal(end)
        rest, errors = process.stdout.read(), process.stderr.read()
        process.wait(60)
    assert f"export KUBECONFIG={folder / 'kubeconfig'}" in rest
    assert (process.returncode, errors) == (0, "stopped\n")
    assert not folder.exists()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "sandbox", "--dir", str(tmp_path), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert list(tmp_path.iterdir()) == []
    assert done.stderr == f"python -m sandbox: cannot serve on port {port}: Address already in use\n"
