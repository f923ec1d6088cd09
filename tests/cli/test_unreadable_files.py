"""A file that cannot be read: every command says so in the same words, whatever the file is for."""

import os
from pathlib import Path

import pytest

from webhook.cli import main

COMMANDS = {
    "plan": "plan -f {}",
    "explain": "explain hello -f {}",
    "serve, its certificate": "serve --standalone --tls-cert {} --tls-key {}",
    "serve, authorities of clients": "serve --standalone --cert-dir {pair} --client-ca {}",
    "a kubeconfig": "get --kubeconfig {}",
    "the kubeconfig of the loop": "loop --kubeconfig {}",
    "the kubeconfig of the page": "web --kubeconfig {}",
    "the kubeconfig of certs": "certs status --secret a/b --kubeconfig {}",
    "a kubeconfig of check": "check --cluster --kubeconfig {} {spa}",
}
SPA = "{apiVersion: serving.knative.dev/v1, kind: StagePodAutoscaler, metadata: {name: a}, spec: {}}"


def answer(words: str, file: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and the line on standard error."""
    assert main(["certs", "init", str(folder / "pair"), "--host", "a"]) == 0
    (folder / "spa.yaml").write_text(SPA)
    capsys.readouterr()
    given = words.format(*[file] * 2, pair=folder / "pair", spa=folder / "spa.yaml")
    code = main(given.split())
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return code, printed.err


@pytest.mark.parametrize("words", COMMANDS.values(), ids=list(COMMANDS))
def test_a_directory_in_place_of_a_file(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    code, line = answer(words, tmp_path / "folder", tmp_path, capsys)
    assert (code, line.count("cannot read ")) == (3, 1)
    assert f"{tmp_path / 'folder'}: Is a directory" in line


@pytest.mark.parametrize("words", [*COMMANDS.values(), "check {}"], ids=[*COMMANDS, "check"])
def test_a_file_that_does_not_exist(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = answer(words, tmp_path / "absent", tmp_path, capsys)
    assert (code, line.count("cannot read ")) == (3, 1)
    assert f"{tmp_path / 'absent'}: {os.strerror(2)}" in line


@pytest.mark.parametrize("words", ["certs init {} --host a", "certs status {}", "serve --standalone --cert-dir {}"])
def test_a_file_in_place_of_a_directory(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    code, line = answer(words, tmp_path / "file", tmp_path, capsys)
    assert code == 3
    assert f"{tmp_path / 'file'}: it is not a directory" in line
