"""``stagegate``: every error is one line and an exit code, also if standard output or error cannot be written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.live import ROOT
from webhook.cli import kubectl_plugin, main, rules

FULL = Path("/dev/full")
needs_full_disk = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this machine")


def failing(problem: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """``stagegate rules`` fails with an unforeseen exception."""

    def callback(**_: object) -> int:
        raise problem

    monkeypatch.setattr(rules.command, "callback", callback)


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (KeyError("metadata"), "unexpected KeyError: 'metadata'"),
        (PermissionError(13, "Permission denied", "/x"), "unexpected PermissionError: [Errno 13] Permission denied"),
        (RuntimeError("one\ntwo"), "unexpected RuntimeError: one two"),
    ],
)
def test_an_unexpected_error_is_one_line_with_a_hint(
    problem: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(problem, monkeypatch)
    assert main(["rules"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"stagegate rules: {line}")
    assert error.endswith("; --debug shows where it comes from\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "rules"], ["rules", "--debug"]])
def test_debug_shows_where_an_error_comes_from(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(KeyError("metadata"), monkeypatch)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "test_main.py" in error


def test_debug_is_taken_by_tasks_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certs", "status", str(tmp_path), "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fly"], "stagegate: no such command 'fly'; see: stagegate --help"),
        (["rule"], "stagegate: no such command 'rule'; did you mean rules?; see: stagegate --help"),
        (["--fly"], "stagegate: no such option '--fly'; see: stagegate --help"),
        (["loop", "--fly"], "stagegate loop: no such option '--fly'; see: stagegate loop --help"),
        (["certs"], "stagegate certs: missing command; see: stagegate certs --help"),
        (["certs", "init"], "stagegate certs: DIR is missing; see: stagegate certs init --help"),
        (["certs", "init", "d"], "stagegate certs: --host is missing; see: stagegate certs init --help"),
        (["certs", "init", "d", "--host"], "stagegate certs: option '--host' requires an argument; see: "),
        (["certs", "init", "d", "e", "--host", "a"], "stagegate certs: got unexpected extra argument (e); see: "),
        (["serve", "--enforc", "warn"], "stagegate serve: no such option '--enforc'; did you mean --enforce?; see: "),
        (["certs", "status", "d", "--kubeconf", "x"], "stagegate certs: no such option '--kubeconf'; did you mean "),
        (["--vers"], "stagegate: no such option '--vers'; did you mean --version?; see: "),
        (["loop", "--steps", "maybe"], "stagegate loop: --steps: 'maybe' is not one of 'on', 'off'; see: "),
        (["release", "a", "--timeout", "soon"], "stagegate release: --timeout: must be a duration such as 90s, 5m "),
    ],
)
def test_wrong_usage_is_one_line_with_the_way_out(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.endswith(" --help\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "help_of"),
    [
        (["loop", "--fly"], "stagegate loop"),
        (["release", "hello", "--fly"], "stagegate release"),
        (["certs", "status", "d", "--fly"], "stagegate certs status"),
    ],
)
def test_an_unknown_option_leads_to_the_help_that_lists_the_known_ones(
    words: list[str], help_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.endswith(f"; see: {help_of} --help\n")


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "stagegate loop" in capsys.readouterr().out


def test_an_error_shows_control_characters_and_does_not_obey_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "hello", "--kubeconfig", "no\x1b[2Jsuch\u202efile"]) == 3
    assert (
        capsys.readouterr().err
        == r"stagegate release: cannot read the kubeconfig no\x1b[2Jsuch\u202efile: No such file or directory" + "\n"
    )


def test_as_a_plugin_of_kubectl_it_has_its_name_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-stagegate", "loop", "--fly"])
    assert kubectl_plugin() == 2
    assert capsys.readouterr().err.startswith("kubectl stagegate loop: no such option")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-stagegate", "loop", "--help"])
    assert kubectl_plugin() == 0
    assert capsys.readouterr().out.startswith("Usage: kubectl stagegate loop ")


@contextmanager
def broken_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


@contextmanager
def full_disk() -> Iterator[int]:
    descriptor = os.open(FULL, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def stagegate(*words: str, out: int, error: int = subprocess.PIPE, buffered: bool = True) -> tuple[int, str]:
    """Exit code and standard error of a process with these streams."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "webhook", *words],
        cwd=ROOT,
        env=environment | ({} if buffered else {"PYTHONUNBUFFERED": "1"}),
        stdout=out,
        stderr=error,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "words",
    [
        ["rules"],
        ["certs", "init", "{}", "--host", "localhost"],
        ["certs", "init", "{}", "--host", "localhost", "-o", "json"],
        ["plan", "-f", "manifests/samples/service.yaml", "-f", "manifests/samples/service-edited.yaml"],
        ["--help"],
        ["certs", "init", "--help"],
    ],
)
def test_a_closed_pipe_is_silent(words: list[str], buffered: bool, tmp_path: Path) -> None:
    with broken_pipe() as pipe:
        code, error = stagegate(*(word.format(tmp_path / "d") for word in words), out=pipe, buffered=buffered)
    assert (code, error) == (141, "")


@needs_full_disk
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("words", [["rules"], ["certs", "init", "{}", "--host", "localhost"]])
def test_a_full_disk_is_one_line(words: list[str], buffered: bool, tmp_path: Path) -> None:
    with full_disk() as disk:
        code, error = stagegate(*(word.format(tmp_path / "d") for word in words), out=disk, buffered=buffered)
    line = f"stagegate {words[0]}: cannot write to standard output: No space left on device\n"
    assert (code, error) == (3, line)


@needs_full_disk
def test_an_error_keeps_its_exit_code_where_nothing_can_be_said(tmp_path: Path) -> None:
    with full_disk() as disk:
        assert stagegate("certs", "status", str(tmp_path), out=disk, error=disk)[0] == 3


@pytest.mark.parametrize("words", [["rules"], ["--version"]])
def test_a_closed_standard_output_is_one_line(words: list[str]) -> None:
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "webhook", *words]
    done = subprocess.run(shell, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert done.stderr.endswith(": cannot write to standard output: it is closed\n")
    assert done.stderr.count("\n") == 1
