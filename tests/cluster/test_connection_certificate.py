"""Client certificates that change: of a plugin before they end, of files when they are written anew."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api_server import VERSION, ApiServer, api_server, kubeconfig, trusting
from tests.cluster.connect_proxy import connect_proxy
from tests.cluster.fake_clock import START, FakeClock
from tests.cluster.kubeconfig_rows import EXEC, V1
from tests.controlplane.certificates import Authority
from webhook.api.wire import format_time
from webhook.cluster import connection
from webhook.cluster.errors import NoCredentials, Unauthorized


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(authority, tmp_path) as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(connection, "SystemClock", lambda: clock)
    return clock


@pytest.fixture
def issue(authority: Authority, tmp_path: Path) -> Callable[[str, float | None], None]:
    """Make the plugin give the certificate of this user, with an end after so many seconds on the clock."""

    def issue(user: str, seconds: float | None = None) -> None:
        pair = authority.client(user, ())
        status = {"clientCertificateData": pair.certificate.decode(), "clientKeyData": pair.key.decode()}
        if seconds is not None:
            status["expirationTimestamp"] = format_time(START + timedelta(seconds=seconds))
        body = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
        (tmp_path / "credential").write_text(json.dumps(body))

    return issue


def plugin(folder: Path) -> dict[str, Any]:
    script = f"echo asked >> {folder}/asked; cat {folder}/credential"
    return {"exec": EXEC | {"command": "sh", "args": ["-c", script]}}


def asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines())


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_certificate_of_a_plugin_is_renewed_before_it_ends_on_a_new_connection(
    through_proxy: bool,
    server: ApiServer,
    authority: Authority,
    clock: FakeClock,
    issue: Callable[..., None],
    tmp_path: Path,
) -> None:
    issue("first", 5)
    with connect_proxy(tmp_path) as proxy:
        cluster = trusting(server, authority, tmp_path)
        cluster |= {"proxy-url": f"http://{proxy.address}"} if through_proxy else {}
        transport = connection.connect(kubeconfig(tmp_path, cluster, plugin(tmp_path)), user_agent="t")
        for _ in range(3):
            transport.send(VERSION)
        issue("second", 3600)
        clock.advance(4)
        for _ in range(3):
            transport.send(VERSION)
    assert [each.certificate for each in server.requests] == ["first"] * 3 + ["second"] * 3
    assert asked(tmp_path) == 2
    assert len(proxy.tunnels) == (2 if through_proxy else 0)


def test_a_plugin_that_fails_later_ends_requests_with_its_words_and_recovers(
    server: ApiServer, authority: Authority, clock: FakeClock, issue: Callable[..., None], tmp_path: Path
) -> None:
    issue("first", 100)
    path = kubeconfig(tmp_path, trusting(server, authority, tmp_path), plugin(tmp_path))
    transport = connection.connect(path, user_agent="t")
    (tmp_path / "credential").unlink()
    clock.advance(90)
    transport.send(VERSION)
    assert server.last.certificate == "first", "it is good for ten seconds yet"
    clock.advance(10)
    for _ in range(5):
        with pytest.raises(NoCredentials, match=r"credential plugin sh failed with exit code 1: cat: .*credential"):
            transport.send(VERSION)
    assert len(server.requests) == 1, "nothing is sent without credentials"
    assert asked(tmp_path) == 3, "a plugin that fails is left alone for a while"
    issue("second", 3600)
    clock.advance(60)
    transport.send(VERSION)
    assert server.last.certificate == "second"


def test_a_plugin_is_called_again_when_the_server_refuses_what_it_gave(
    server: ApiServer, authority: Authority, clock: FakeClock, issue: Callable[..., None], tmp_path: Path
) -> None:
    issue("first")
    path = kubeconfig(tmp_path, trusting(server, authority, tmp_path), plugin(tmp_path))
    transport = connection.connect(path, user_agent="t")
    issue("second")
    clock.advance(3600)
    server.statuses = [401]
    with pytest.raises(Unauthorized):
        transport.send(VERSION)
    transport.send(VERSION)
    assert [each.certificate for each in server.requests] == ["first", "second"]


def test_files_are_read_again_and_the_last_good_ones_kept(
    server: ApiServer, authority: Authority, clock: FakeClock, tmp_path: Path
) -> None:
    def write(user: str) -> None:
        pair = authority.client(user, ())
        (tmp_path / "user.crt").write_bytes(pair.certificate)
        (tmp_path / "user.key").write_bytes(pair.key)
        (tmp_path / "token").write_text(user)

    write("first")
    user = {"client-certificate": "user.crt", "client-key": "user.key", "tokenFile": "token"}
    path = kubeconfig(tmp_path, trusting(server, authority, tmp_path), user)
    transport = connection.connect(path, user_agent="t")
    transport.send(VERSION)
    write("second")
    clock.advance(61)
    transport.send(VERSION)
    (tmp_path / "user.key").write_text("half a k")
    clock.advance(61)
    transport.send(VERSION)
    assert [each.certificate for each in server.requests] == ["first", "second", "second"]
    assert [each.values("Authorization") for each in server.requests][1:] == [["Bearer second"]] * 2
