"""Through real proxies: what reaches them, and what reaches the API server behind them."""

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api_server import VERSION, api_server, kubeconfig, trusting
from tests.cluster.connect_proxy import connect_proxy
from tests.controlplane.certificates import Authority
from webhook.cluster.connection import NoCluster, connect
from webhook.cluster.errors import OutcomeUnknown, Unreachable

TOKEN = {"token": "t"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def under(name: str, cluster: dict[str, Any]) -> dict[str, Any]:
    """The cluster at another name for loopback, which a proxy of the environment is asked for."""
    return cluster | {"server": cluster["server"].replace("127.0.0.1", name), "tls-server-name": "localhost"}


@pytest.mark.parametrize("form", ["http://{}", "{}", "http://me:p%40w@{}", "me:p%40w@{}"])
@pytest.mark.parametrize("is_explicit", [True, False])
def test_a_tunnel_is_made_with_the_proxys_own_credentials(
    form: str, is_explicit: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_explicit and "//" not in form:
        pytest.skip("a proxy-url has a scheme")
    authority = Authority()
    wanted = "me:p@w" if "@" in form else ""
    with api_server(authority, tmp_path) as server, connect_proxy(tmp_path, wanted=wanted) as proxy:
        cluster = trusting(server, authority, tmp_path)
        if is_explicit:
            # Loopback and NO_PROXY count for the environment only.
            monkeypatch.setenv("NO_PROXY", "*")
            cluster["proxy-url"] = form.format(proxy.address)
        else:
            monkeypatch.setenv("HTTPS_PROXY", form.format(proxy.address))
            cluster = under("api.test", cluster)
        transport = connect(kubeconfig(tmp_path, cluster, TOKEN), user_agent="t")
        for _ in range(2):
            transport.send(VERSION)
        assert proxy.tunnels == [cluster["server"].removeprefix("https://")], "one tunnel serves both requests"
        assert [each.values("Authorization") for each in server.requests] == [["Bearer t"]] * 2
        assert server.last.values("Proxy-Authorization") == []


@pytest.mark.parametrize("authority_of_proxy", ["the cluster's", "the system's"])
def test_a_proxy_over_tls_is_trusted_by_the_clusters_authority_or_the_systems(
    authority_of_proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, other = Authority(), Authority("another")
    proxys = authority if authority_of_proxy == "the cluster's" else other
    (tmp_path / "system.pem").write_bytes(other.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    with api_server(authority, tmp_path) as server, connect_proxy(tmp_path, proxys, "me:pw") as proxy:
        cluster = trusting(server, authority, tmp_path) | {"proxy-url": f"https://me:pw@{proxy.address}"}
        user = authority.client("alice", ())
        (tmp_path / "alice.crt").write_bytes(user.certificate)
        (tmp_path / "alice.key").write_bytes(user.key)
        files = {"client-certificate": "alice.crt", "client-key": "alice.key"}
        connect(kubeconfig(tmp_path, cluster, files), user_agent="t").send(VERSION)
        assert len(proxy.tunnels) == 1
        assert server.last.certificate == "alice", "the client certificate is shown inside the tunnel"


def test_a_proxy_of_an_authority_that_nobody_knows_is_not_trusted(tmp_path: Path) -> None:
    authority = Authority()
    with api_server(authority, tmp_path) as server, connect_proxy(tmp_path, Authority(), "me:pw") as proxy:
        cluster = trusting(server, authority, tmp_path) | {"proxy-url": f"https://me:pw@{proxy.address}"}
        transport = connect(kubeconfig(tmp_path, cluster, TOKEN), user_agent="t")
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            transport.send(VERSION)
        assert proxy.tunnels == []


@pytest.mark.parametrize("is_over_tls", [False, True])
def test_a_stream_through_a_proxy_ends_when_another_thread_closes_it(is_over_tls: bool, tmp_path: Path) -> None:
    authority = Authority()
    proxys = authority if is_over_tls else None
    with api_server(authority, tmp_path) as server, connect_proxy(tmp_path, proxys) as proxy:
        server.is_silent = True
        scheme = "https" if is_over_tls else "http"
        cluster = trusting(server, authority, tmp_path) | {"proxy-url": f"{scheme}://{proxy.address}"}
        stream = connect(kubeconfig(tmp_path, cluster, TOKEN), user_agent="t").stream(replace(VERSION, timeout=120.0))
        ended = threading.Event()

        def read() -> None:
            with suppress(OutcomeUnknown):
                list(stream)
            ended.set()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert not ended.wait(0.2)
        stream.close()
        assert ended.wait(30)


def test_wrong_credentials_and_a_proxy_that_is_not_there_are_named_without_secrets(tmp_path: Path) -> None:
    authority = Authority()
    with api_server(authority, tmp_path) as server, connect_proxy(tmp_path, wanted="me:right") as proxy:
        cluster = trusting(server, authority, tmp_path)
        for address, words in ((proxy.address, "407 Proxy Authentication Required"), ("127.0.0.1:9", "refused")):
            path = kubeconfig(tmp_path, cluster | {"proxy-url": f"http://me:wrong@{address}"}, TOKEN)
            with pytest.raises(Unreachable, match=words) as raised:
                connect(path, user_agent="t").send(VERSION)
            assert f"(proxy http://{address} of proxy-url)" in str(raised.value)
            assert "wrong" not in str(raised.value)
        assert server.requests == []


def test_no_proxy_of_the_environment_comes_before_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    authority = Authority()
    with api_server(authority, tmp_path) as server:
        for name in ("127.0.0.1", "localhost"):
            path = kubeconfig(tmp_path, under(name, trusting(server, authority, tmp_path)), TOKEN)
            connect(path, user_agent="t").send(VERSION)
    with api_server(None, tmp_path) as plain:
        connect(kubeconfig(tmp_path, {"server": plain.url}, TOKEN), user_agent="t").send(VERSION)


def test_a_proxy_for_plain_http_gets_the_whole_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect_proxy(tmp_path, wanted="me:pw") as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"me:pw@{proxy.address}")
        transport = connect(kubeconfig(tmp_path, {"server": "http://api.test:8001"}, {}), user_agent="t")
        assert transport.send(VERSION) == {}
        assert proxy.tunnels == ["http://api.test:8001/version"]


def test_socks_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"server": "https://api.test", "proxy-url": "socks5://127.0.0.1:9"}, TOKEN)
    with pytest.raises(NoCluster, match=r"^proxy-url: socks5: only http:// and https:// proxies are supported$"):
        connect(path, user_agent="t")
