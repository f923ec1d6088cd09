"""kubectl as the judge: what it refuses we refuse, and what it sends to identify itself we send."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.api_server import VERSION, ApiServer, api_server
from tests.cluster.connect_proxy import connect_proxy
from tests.cluster.kubeconfig_rows import ROWS, TOKEN, Row
from tests.cluster.test_kubeconfig import identifying, sent, written
from tests.controlplane.certificates import Authority
from webhook.cluster.connection import connect
from webhook.cluster.errors import Unreachable

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def servers(authority: Authority, tmp_path: Path) -> Iterator[dict[bool, ApiServer]]:
    with api_server(authority, tmp_path) as secure, api_server(None, tmp_path) as plain:
        yield {False: secure, True: plain}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(kubectl: str, kubeconfig: str, seconds: int = 10) -> subprocess.CompletedProcess[str]:
    command = [kubectl, "--kubeconfig", kubeconfig, f"--request-timeout={seconds}s", "get", "--raw", "/version"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.usefixtures("needs_kubectl")
@pytest.mark.parametrize("row", [row for row in ROWS if not row.kubectl], ids=str)
def test_a_kubeconfig_means_the_same_to_both(
    row: Row, kubectl: str, servers: dict[bool, ApiServer], tmp_path: Path, authority: Authority
) -> None:
    server = servers[row.is_plain]
    printed = ask(kubectl, written(row, server, tmp_path, authority))
    if row.refused:
        assert printed.returncode != 0
        # Some builds of kubectl ask for the version beforehand, with a client of their own and without credentials.
        assert [each for each in server.requests if "dispatcher" not in each.values("User-Agent")[0]] == []
        return
    assert printed.returncode == 0, printed.stderr
    assert identifying(server.last.headers) == sent(row.arrives)
    assert server.last.certificate == row.certificate


@pytest.mark.usefixtures("needs_kubectl")
@pytest.mark.parametrize(
    ("form", "host", "no_proxy", "passes"),
    [
        ("http://{}", "api.test", "", True),
        ("{}", "api.test", "", True),
        ("me:p%40w@{}", "api.test", "", True),
        ("http://me:p%40w@{}", "api.test", "", True),
        ("https://me:p%40w@{}", "api.test", "", True),
        ("{}", "api.test", "test", False),
        ("{}", "api.test", ".api.test", True),
        ("{}", "api.test", "*.test", False),
        ("{}", "api.test", "api.test:1", True),
        ("{}", "api.test", "*", False),
        ("{}", "192.0.2.7", "", True),
        ("{}", "192.0.2.7", "192.0.2.0/24", False),
        ("{}", "192.0.2.7", ".2.7", True),
        ("{}", "[2001:db8::7]", "", True),
        ("{}", "[2001:db8::7]", "2001:db8::/32", False),
        ("{}", "127.0.0.1", "", False),
    ],
)
def test_a_proxy_of_the_environment_means_the_same_to_both(
    form: str,
    host: str,
    no_proxy: str,
    passes: bool,
    kubectl: str,
    servers: dict[bool, ApiServer],
    tmp_path: Path,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the proxy leads to these hosts."""
    server = servers[False]
    row = Row("", TOKEN, cluster={"server": server.url.replace("127.0.0.1", host), "tls-server-name": "localhost"})
    wanted = "me:p@w" if "@" in form else ""
    with connect_proxy(tmp_path, authority if form.startswith("https") else None, wanted) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", form.format(proxy.address))
        monkeypatch.setenv("NO_PROXY", no_proxy)
        path = written(row, server, tmp_path, authority)
        ask(kubectl, path, seconds=2)
        theirs = len(proxy.tunnels)
        with suppress(Unreachable):
            connect(path, user_agent="t").send(replace(VERSION, timeout=2.0))
        ours = len(proxy.tunnels) - theirs
    assert (theirs > 0, ours > 0) == (passes, passes)
