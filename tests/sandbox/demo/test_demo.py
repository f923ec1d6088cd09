"""The demo: what it refuses to start with, and what it leaves behind when it is interrupted."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
import yaml

from sandbox.demo import __main__ as demo
from sandbox.demo.__main__ import main
from sandbox.demo.story import StoryFailed
from webhook.cli.command import Options
from webhook.signals import HANDLED

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "production",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "certificate-authority": "ca.crt"}}],
    "users": [{"name": "u", "user": {"client-certificate": "u.crt", "client-key": "/keys/u.key"}}],
    "contexts": [
        {"name": "production", "context": {"cluster": "c", "user": "u"}},
        {"name": "lost", "context": {"cluster": "elsewhere", "user": "u"}},
    ],
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(KUBECONFIG))
    return path


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--kubeconfig", "{file}"], "belong together: no cluster is ever guessed", id="no context"),
        pytest.param(["--context", "production"], "belong together: no cluster is ever guessed", id="no file"),
        pytest.param(
            ["--kubeconfig", "{file}", "--context", "production", "--control-plane", "real"],
            "--control-plane or --kubeconfig, not both",
            id="two places",
        ),
        pytest.param(
            ["--kubeconfig", "{file}", "--context", "prod"],
            "{file} has no context prod; it has: production, lost",
            id="another context",
        ),
        pytest.param(
            ["--kubeconfig", "{file}", "--context", "lost"],
            "{file}: context lost names no cluster of this file",
            id="a context without a cluster",
        ),
        pytest.param(
            ["--kubeconfig", "{file}.not", "--context", "production"],
            "cannot read {file}.not: No such file or directory",
            id="no such file",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], problem: str, kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([*(argument.format(file=kubeconfig) for argument in arguments)])

    assert code == 2
    assert problem.format(file=kubeconfig) in capsys.readouterr().err


def test_a_file_that_is_no_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config"
    path.write_text("- 1\n")

    assert main(["--kubeconfig", str(path), "--context", "c"]) == 2
    assert (
        capsys.readouterr().err
        == f"python -m sandbox.demo: {path}: not a kubeconfig: contexts or their members are missing\n"
    )


def test_a_cluster_that_does_not_answer_is_named(kubeconfig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (kubeconfig.parent / "config").write_text(
        yaml.safe_dump(KUBECONFIG | {"users": [{"name": "u", "user": {"token": "t"}}]}).replace(
            "certificate-authority: ca.crt", ""
        )
    )

    assert main(["--kubeconfig", str(kubeconfig), "--context", "production"]) == 3
    assert capsys.readouterr().err.startswith(f"python -m sandbox.demo: context production of {kubeconfig}: ")


def test_a_story_that_does_not_end_well_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_or_stay(*_: object, **__: object) -> int:
        raise StoryFailed("a peak of 10 replicas was predicted, it was 12", "replicas of old: predicted 0, found 1")

    monkeypatch.setattr(demo, "_run_story", fail_or_stay)

    assert main([]) == 1
    assert capsys.readouterr().err == (
        "python -m sandbox.demo: a peak of 10 replicas was predicted, it was 12; "
        "replicas of old: predicted 0, found 1\n"
    )


def test_signals_are_what_they_were_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_run_story", lambda *_, **__: 0)
    before = [signal.getsignal(number) for number in HANDLED]

    options = Options(kubeconfig=None, context=None, control_plane=None, keep=False)
    assert demo.run(options) == 0

    assert [signal.getsignal(number) for number in HANDLED] == before


class Kept:
    """A stack that stays up until Ctrl-C."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plane = SimpleNamespace(kubeconfig=directory / "kubeconfig")
        self.pages_url = "http://127.0.0.1:1"

    def failure(self) -> str:
        raise KeyboardInterrupt


def test_ctrl_c_is_how_a_demo_ends_that_stays_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_or_stay(*_: object, **__: object) -> int:
        demo._stay(Kept(tmp_path))  # type: ignore[arg-type]
        return 0

    monkeypatch.setattr(demo, "_run_story", fail_or_stay)
    assert main(["--keep"]) == 0
    assert capsys.readouterr().err == "python -m sandbox.demo: stopped; everything that it started has ended\n"


@contextmanager
def demo_under_way(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A demo in the middle of its first rollout, and the ports that it listens on.

    The proxies of its environment lead nowhere: it needs none.
    """
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"), "http://127.0.0.1:9")
    environment = {**os.environ, **proxies, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "sandbox.demo"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as child:
        try:
            assert child.stdout is not None
            printed = until(child.stdout, "  stage 1/")
            yield child, [int(port) for port in re.findall(r"https://127\.0\.0\.1:(\d+)", printed)]
        finally:
            child.kill()


def until(stream: IO[str], start: str) -> str:
    """All lines up to one that starts so."""
    printed = ""
    for line in stream:
        printed += line
        if line.startswith(start):
            return printed
    pytest.fail(f"the demo ended early: {printed}")


def processes_of(folder: Path) -> list[str]:
    """The command lines, of any process, that name the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["ctrl-c", "quit", "killed"])
def test_an_interrupted_demo_leaves_no_process_and_no_port(number: signal.Signals, tmp_path: Path) -> None:
    with demo_under_way(tmp_path) as (child, ports):
        assert len(ports) == 2
        assert all(is_open(port) for port in ports)
        assert len(processes_of(tmp_path)) >= 2

        for without_effect in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTOU):
            child.send_signal(without_effect)
        child.send_signal(number)
        assert child.wait(30.0) == (-number if number == signal.SIGKILL else 130)

        deadline = time.monotonic() + 30.0
        while processes_of(tmp_path) or any(is_open(port) for port in ports):
            # Only who is killed cannot see its children to their end.
            assert number == signal.SIGKILL
            assert time.monotonic() < deadline, processes_of(tmp_path)
            time.sleep(0.05)
    if number != signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []
