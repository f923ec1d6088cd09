"""The exit codes: rows for each command, and the documents that list them."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from tests.cli.test_main import stagegate
from tests.server.conftest import make_certificates
from tests.server.live import ROOT
from webhook import cli
from webhook.cli import COMMANDS, main
from webhook.cli.command import Command
from webhook.cli.errors import EXIT_CODES

DOWN: Final = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}
"""A kubeconfig of a server that is down."""


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the rows name: directories with sound, broken and no certificates, a port in use, a server that is down."""
    make_certificates(tmp_path / "sound")
    make_certificates(tmp_path / "broken")
    (tmp_path / "broken" / "tls.key").write_bytes((tmp_path / "broken" / "ca.key").read_bytes())
    (tmp_path / "down").write_text(json.dumps(DOWN))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = ("sound", "broken", "nothing", "down")
        yield {name: str(tmp_path / name) for name in names} | {"taken": str(taken.getsockname()[1])}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        pytest.param("certs init {nothing} --host a", 0, id="certs init"),
        pytest.param("certs status {sound}", 0, id="certs status"),
        pytest.param("certs rotate {sound} --ca", 0, id="certs rotate"),
        pytest.param("certs status {broken}", 1, id="certs status, broken"),
        pytest.param("certs rotate --secret a/b --kubeconfig {down}", 3, id="certs rotate, server down"),
        pytest.param("certs status --secret a/b --kubeconfig {down}", 3, id="certs status, server down"),
        pytest.param("certs status {nothing}", 3, id="certs status, no file"),
        pytest.param("certs rotate {nothing}", 3, id="certs rotate, no file"),
        pytest.param("serve --standalone --cert-dir {nothing}", 3, id="serve, no file"),
        pytest.param("serve --standalone --cert-dir {broken}", 3, id="serve, no pair that matches"),
        pytest.param("serve --standalone --cert-dir {sound} --port {taken}", 3, id="serve, port in use"),
        pytest.param("serve --standalone --cert-dir {sound} --port 0 --pages-port {taken}", 3, id="serve, pages"),
        pytest.param("serve --cert-dir {sound} --kubeconfig {nothing}", 3, id="serve, no kubeconfig"),
        pytest.param("loop --kubeconfig {down}", 3, id="loop, server down"),
        pytest.param("loop --kubeconfig {down} --pages-port {taken}", 3, id="loop, port in use"),
        pytest.param("loop --kubeconfig {nothing}", 3, id="loop, no kubeconfig"),
        *(pytest.param(f"{command} --no-such-option", 2, id=f"{command}, usage") for command in COMMANDS),
    ],
)
def test_the_exit_code_says_what_happened(command: str, code: int, places: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        exit_code, error = stagegate(*command.format(**places).split(), out=out.fileno())
    assert exit_code == code, error


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_is_130(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "invoke", run)
    found = cli.stagegate.get_command(click.Context(cli.stagegate), command)
    assert found is not None
    arguments = ["x" for each in found.params if isinstance(each, click.Argument) and each.required]
    needed = (each for each in found.params if isinstance(each, click.Option) and each.required)
    arguments += [word for each in needed for word in (each.opts[0], "x")]
    words = {"certs": ["certs", "status", "d"]}.get(command, [command, *arguments])
    assert main(words) == 130
    assert capsys.readouterr() == ("", "")


def test_the_documents_and_the_help_list_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    reference = (ROOT / "docs" / "REFERENCE.md").read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES.items():
        assert f"  {code:<4} {meaning}\n" in printed
        assert f"| {code} | {meaning} |\n" in reference
