"""The trust of a connection: the authority of the kubeconfig alone, also one without key identifiers."""

import ssl
from pathlib import Path

import pytest
from urllib3.util import create_urllib3_context

from tests.cluster.api_server import VERSION, api_server, kubeconfig, trusting
from tests.controlplane.certificates import Authority
from webhook.cluster import connection, pool
from webhook.cluster.errors import Unreachable

TOKEN = {"token": "t"}


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contexts are as strict at first as those of Python 3.13, whatever runs the tests."""

    def make_strict(*, cert_reqs: int) -> ssl.SSLContext:
        context = create_urllib3_context(cert_reqs=cert_reqs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(pool, "create_urllib3_context", make_strict)


@pytest.mark.usefixtures("strict")
def test_an_authority_without_key_identifiers_is_trusted(tmp_path: Path) -> None:
    authority = Authority()
    with api_server(authority, tmp_path) as server:
        transport = connection.connect(
            kubeconfig(tmp_path, trusting(server, authority, tmp_path), TOKEN), user_agent="t"
        )

        transport.send(VERSION)
        assert len(server.requests) == 1


def test_no_connection_shares_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that is loaded for one connection while another shakes hands with it ends the process."""
    made: list[ssl.SSLContext] = []

    def make(*, cert_reqs: int) -> ssl.SSLContext:
        made.append(create_urllib3_context(cert_reqs=cert_reqs))
        return made[-1]

    monkeypatch.setattr(pool, "create_urllib3_context", make)
    authority = Authority()
    with api_server(authority, tmp_path) as server:
        transport = connection.connect(
            kubeconfig(tmp_path, trusting(server, authority, tmp_path), TOKEN), user_agent="t"
        )
        server.is_silent = True
        for stream in [transport.stream(VERSION) for _ in range(3)]:
            stream.close()

    assert len({id(context) for context in made}) == 3


def test_another_authority_is_not(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as server:
        transport = connection.connect(
            kubeconfig(tmp_path, trusting(server, Authority(), tmp_path), TOKEN), user_agent="t"
        )

        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            transport.send(VERSION)


def test_without_an_authority_it_is_the_systems(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as server:
        transport = connection.connect(kubeconfig(tmp_path, {"server": server.url}, TOKEN), user_agent="t")

        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            transport.send(VERSION)


def test_a_kubeconfig_may_ask_for_no_proof_at_all(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as server:
        cluster = {"server": server.url, "insecure-skip-tls-verify": True}
        transport = connection.connect(kubeconfig(tmp_path, cluster, TOKEN), user_agent="t")

        with pytest.warns(match="Unverified HTTPS request"):
            transport.send(VERSION)
