"""``stagegate serve`` at the command line: errors are one line, before anything is served."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_exit_codes import DOWN
from tests.server.conftest import make_certificates
from tests.server.live import ROOT, running
from tests.server.reviews import BAD, MISLABELLED
from webhook.cli import main


def serve(*arguments: str) -> int:
    return main(["serve", "--port", "0", *arguments])


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("stagegate serve: ")
    assert error.count("\n") == 1
    return error


def test_a_missing_directory_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "no"
    assert serve("--standalone", "--cert-dir", str(missing)) == 3
    assert f"make one with: stagegate certs init {missing} --host localhost" in error_line(capsys)


def test_no_certificate_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--standalone") == 2
    assert "--cert-dir DIR, or --tls-cert F and --tls-key F" in error_line(capsys)


def test_half_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--standalone", "--tls-cert", str(tmp_path / "a")) == 2
    assert "a certificate is needed" in error_line(capsys)


def test_two_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--standalone", "--cert-dir", str(tmp_path), "--tls-cert", "a", "--tls-key", "b") == 2
    assert "not both" in error_line(capsys)


def test_an_empty_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--standalone", "--cert-dir", str(tmp_path)) == 3
    assert f"cannot read {tmp_path / 'tls.crt'}: No such file or directory" in error_line(capsys)


def test_a_cluster_and_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve("--standalone", "--cert-dir", str(tmp_path), "--kubeconfig", "k") == 2
    assert "--kubeconfig or --standalone, not both" in error_line(capsys)


def test_an_unreadable_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates(tmp_path)
    (tmp_path / "tls.key").unlink()
    (tmp_path / "tls.key").mkdir()
    assert serve("--standalone", "--cert-dir", str(tmp_path)) == 3
    assert f"cannot read {tmp_path / 'tls.key'}: Is a directory" in error_line(capsys)


def test_a_key_of_another_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates(tmp_path)
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    assert serve("--standalone", "--cert-dir", str(tmp_path)) == 3
    assert "tls.key: the private key does not belong to the certificate; make a key pair with" in error_line(capsys)


def test_a_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["serve", "--standalone", "--cert-dir", str(tmp_path), "--port", port]) == 3
    assert f"127.0.0.1:{port} is in use; choose another --port" in error_line(capsys)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "70000"], "--port: must be a whole number from 0 to 65535, not '70000'"),
        (["--port", "https"], "--port: must be a whole number from 0 to 65535, not 'https'"),
        (["--max-connections", "0"], "--max-connections: must be a whole number from 1 to 1000000, not '0'"),
        (["--body-timeout", "0"], "--body-timeout: must be from 0.1 to 600 seconds, not '0'"),
        (["--body-timeout", "nan"], "--body-timeout: must be from 0.1 to 600 seconds, not 'nan'"),
        (["--drain=-1"], "--drain: must be from 0 to 600 seconds, not '-1'"),
        (["--host", "no such host"], "--host no such host: "),
        (["--host", "a" * 64], f"--host {'a' * 64}: not a host name"),
        (["--host", ""], "--host: must not be empty"),
        (["--controller", ""], "--controller: must not be empty"),
        (["--cert-dir", ""], "--cert-dir: must not be empty"),
        (["--tls-cert", ""], "--tls-cert: must not be empty"),
        (["--cert-secret", "ours/"], "--cert-secret: must be NAMESPACE/NAME"),
    ],
)
def test_values_that_make_no_sense(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_certificates(tmp_path)
    assert serve("--standalone", "--cert-dir", str(tmp_path), *arguments) == 2
    assert says in error_line(capsys)


def test_a_missing_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_certificates(tmp_path)
    assert serve("--cert-dir", str(tmp_path), "--kubeconfig", str(tmp_path / "no")) == 3
    assert f"cannot read the kubeconfig {tmp_path / 'no'}: No such file" in error_line(capsys)


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    assert "stagegate serve --standalone --cert-dir ./certs-dir --port 8443" in text
    assert "stagegate certs init ./certs-dir --host localhost" in text


def test_it_serves_as_its_options_say(tmp_path: Path) -> None:
    make_certificates(tmp_path / "certs")
    with running(tmp_path / "certs", tmp_path, "--enforce", "warn", "--log-level", "debug") as live:
        answer = json.loads(live.post("/validate", MISLABELLED).body)["response"]
        assert answer["allowed"] is True
        assert any("SPA003" in warning for warning in answer["warnings"])


def test_denials_are_logged_without_the_object(tmp_path: Path) -> None:
    make_certificates(tmp_path / "certs")
    with running(tmp_path / "certs", tmp_path) as live:
        assert json.loads(live.post("/validate", BAD).body)["response"]["allowed"] is False
        denied = [line for line in live.log_lines() if line["message"] == "denied"]
        assert [(line["name"], line["ids"]) for line in denied] == [("hello-00001", "SPA002")]
        assert "stageMinScale" not in live.log.read_text()


def test_a_read_only_world_is_enough(tmp_path: Path) -> None:
    """No home, no writable working directory, no temporary directory."""
    make_certificates(tmp_path / "certs")
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    command = [sys.executable, "-B", "-m", "webhook", "serve", "--standalone", "--port", "0", "--cert-dir"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "HOME": str(folder)}
    process = subprocess.Popen(
        [*command, str(tmp_path / "certs")], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("serving https://127.0.0.1:")
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    assert list(folder.iterdir()) == []


def test_the_log_says_that_the_api_server_cannot_be_reached(tmp_path: Path) -> None:
    make_certificates(tmp_path / "certs")
    kubeconfig = tmp_path / "down"
    kubeconfig.write_text(json.dumps(DOWN))
    command = [sys.executable, "-m", "webhook", "serve", "--port", "0", "--cert-dir", str(tmp_path / "certs")]
    process = subprocess.Popen(
        [*command, "--kubeconfig", str(kubeconfig), "--stock-knative", "off"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        lines = [json.loads(process.stderr.readline()) for _ in ("rolloutorchestrators", "namespaces")]
    finally:
        process.terminate()
        process.wait(60)
        process.stderr.close()
    assert {line["level"] for line in lines} == {"warning"}
    assert {line["message"].partition(":")[0] for line in lines} == {"list rolloutorchestrators", "list namespaces"}
    assert all(": no connection to https://127.0.0.1:1: " in line["message"] for line in lines)
