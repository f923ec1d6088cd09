"""The way of a pod: its service account, its API server, and the error where a part is missing."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from kubernetes.config import ConfigException, incluster_config

from tests.cluster.api_server import VERSION, ApiServer, api_server
from tests.cluster.connect_proxy import connect_proxy
from tests.cluster.fake_clock import FakeClock
from tests.controlplane.certificates import Authority
from webhook.cluster.account import pod_credentials
from webhook.cluster.connection import NoCluster, connect
from webhook.cluster.credentials import CredentialsFailed
from webhook.cluster.errors import Unreachable


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """This process in a pod whose token is ``of-the-pod``, and the API server of its cluster."""
    authority = Authority()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    (tmp_path / "token").write_text("of-the-pod")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    with api_server(authority, tmp_path) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(urlsplit(server.url).port))
        yield server


def test_a_pod_uses_its_service_account(pod: ApiServer) -> None:
    connect(user_agent="t").send(VERSION)
    assert [value.lower() for value in pod.last.values("Authorization")] == ["bearer of-the-pod"]


def test_a_pod_has_proxies_too(pod: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "api.test")
    with connect_proxy(tmp_path) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        with pytest.raises(Unreachable, match=r"not valid for 'api\.test'"):
            connect(user_agent="t").send(VERSION)
        assert proxy.tunnels == [f"api.test:{urlsplit(pod.url).port}"]


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("ca.crt", "the service account of the pod: ca.crt: holds no certificate"),
        ("token", "there is no kubeconfig at"),
    ],
)
def test_what_is_missing_is_named(broken: str, problem: str, pod: ApiServer, tmp_path: Path) -> None:
    (tmp_path / broken).unlink()
    if broken == "ca.crt":
        (tmp_path / broken).write_text("none")
    with pytest.raises(NoCluster, match=problem):
        connect(user_agent="t")
    assert pod.requests == []


def test_the_last_token_is_kept_while_its_file_cannot_be_read() -> None:
    """A token that is renewed may be missing for a moment; a request that was not sent for it would be a fault."""
    tokens: list[str | Exception] = ["bearer one", ConfigException("Token file exists but empty."), "bearer two"]

    def key(_name: str) -> str:
        token = tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return token

    clock = FakeClock()
    credentials = pod_credentials(SimpleNamespace(get_api_key_with_prefix=key), clock)
    assert credentials.current().authorization == "bearer one"
    clock.advance(61)
    assert credentials.current().authorization == "bearer one"
    clock.advance(61)
    assert credentials.current().authorization == "bearer two"


def test_a_token_that_never_was_there_is_a_failure() -> None:
    def key(_name: str) -> str:
        raise OSError(13, "Permission denied")

    with pytest.raises(CredentialsFailed, match=r"the token of the pod's service account: .*Permission denied"):
        pod_credentials(SimpleNamespace(get_api_key_with_prefix=key), FakeClock()).current()
