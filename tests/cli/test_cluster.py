"""Commands that find no cluster: one line, and exit code 3."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api_server import api_server, kubeconfig, trusting
from tests.cluster.kubeconfig_rows import EXEC
from tests.controlplane.certificates import Authority
from webhook.cli import main

COMMANDS = {
    "loop": ["loop", "--kubeconfig"],
    "serve": ["serve", "--cert-secret", "ns/certs", "--kubeconfig"],
    "certs": ["certs", "status", "--secret", "ns/certs", "--kubeconfig"],
}
LOG_IN = {"exec": EXEC | {"command": "sh", "args": ["-c", "echo 'please log in first' >&2; exit 1"]}}
ROWS = [
    pytest.param(LOG_IN, {}, "credential plugin sh failed with exit code 1: please log in first", id="plugin fails"),
    pytest.param(
        {"exec": EXEC | {"command": "no-such-plugin", "installHint": "get it at https://plugin"}},
        {},
        "credential plugin no-such-plugin: not found; get it at https://plugin",
        id="plugin is missing",
    ),
    pytest.param(
        {"exec": EXEC | {"command": "echo", "args": ["hello"]}},
        {},
        "credential plugin echo: its output is not JSON",
        id="plugin prints no JSON",
    ),
    pytest.param(
        {"token": "t"},
        {"proxy-url": "socks5://127.0.0.1:1080"},
        "proxy-url: socks5: only http:// and https:// proxies are supported",
        id="socks",
    ),
    pytest.param(
        {"token": "t", "as-groups": ["system:masters"]},
        {},
        "user u: has as-uid, as-groups or as-user-extra, and no as",
        id="groups of nobody",
    ),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("user", "cluster", "problem"), ROWS)
def test_what_leads_to_no_cluster_is_one_line_and_nothing_is_sent(
    command: str,
    user: dict[str, Any],
    cluster: dict[str, Any],
    problem: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    authority = Authority()
    with api_server(authority, tmp_path) as server:
        path = kubeconfig(tmp_path, trusting(server, authority, tmp_path) | cluster, user)
        assert main([*COMMANDS[command], path]) == 3
        assert server.requests == []
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"stagegate {command}: ")
    assert problem in printed.err
    assert printed.err.count("\n") == 1


def test_credentials_that_fail_later_are_missing_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The plugin gives what has ended, and nothing the second time."""
    issued = (
        '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",'
        '"status":{"token":"t","expirationTimestamp":"2020-01-01T00:00:00Z"}}'
    )
    script = (
        f"test -e {tmp_path}/asked && echo 'please log in first' >&2 && exit 1; touch {tmp_path}/asked; echo '{issued}'"
    )
    authority = Authority()
    with api_server(authority, tmp_path) as server:
        server.delay, server.body = 1.1, b'{"metadata": {"name": "certs"}}'
        user = {"exec": EXEC | {"command": "sh", "args": ["-c", script]}}
        path = kubeconfig(tmp_path, trusting(server, authority, tmp_path), user)
        assert main(["certs", "status", "--secret", "ns/certs", "--kubeconfig", path]) == 3
    assert "credential plugin sh failed with exit code 1: please log in first" in capfd.readouterr().err
