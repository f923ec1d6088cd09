"""Whom a connection trusts: the authority of the kubeconfig, also one without key identifiers, and nobody else."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from urllib3.util import create_urllib3_context

from tests.controlplane.certificates import Authority
from webhook.cluster import connection
from webhook.cluster.errors import Call, Unreachable
from webhook.cluster.transport import Request

REQUEST = Request(Call("get", "/version"), "GET", "/version", {}, 5.0)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """A test prints nothing."""


@contextmanager
def api_server(authority: Authority, folder: Path) -> Iterator[str]:
    """The URL of a server with a leaf of this authority."""
    pair = authority.serving()
    bundle = folder / "serving.pem"
    bundle.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, cluster: dict[str, object]) -> str:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "one", "cluster": cluster}],
        "users": [{"name": "one", "user": {"token": "one"}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        "current-context": "one",
    }
    (folder / "config").write_text(yaml.safe_dump(body))
    return str(folder / "config")


def trusting(folder: Path, url: str, authority: Authority) -> str:
    (folder / "ca.crt").write_bytes(authority.certificate)
    return kubeconfig(folder, {"server": url, "certificate-authority": str(folder / "ca.crt")})


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contexts are as strict at first as those of Python 3.13, whatever runs the tests."""

    def make_strict(*, cert_reqs: int) -> ssl.SSLContext:
        context = create_urllib3_context(cert_reqs=cert_reqs)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(connection, "create_urllib3_context", make_strict)


@pytest.mark.usefixtures("strict")
def test_an_authority_without_key_identifiers_is_trusted(tmp_path: Path) -> None:
    authority = Authority()
    with api_server(authority, tmp_path) as url:
        transport = connection.connect(trusting(tmp_path, url, authority), user_agent="t")

        assert transport.send(REQUEST) == {}


def test_no_connection_shares_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that is loaded for one connection while another shakes hands with it ends the process."""
    made: list[ssl.SSLContext] = []

    def make(*, cert_reqs: int) -> ssl.SSLContext:
        made.append(create_urllib3_context(cert_reqs=cert_reqs))
        return made[-1]

    monkeypatch.setattr(connection, "create_urllib3_context", make)
    authority = Authority()
    with api_server(authority, tmp_path) as url:
        transport = connection.connect(trusting(tmp_path, url, authority), user_agent="t")
        for _ in range(3):
            transport.send(REQUEST)

    assert len({id(context) for context in made}) == 3


def test_another_authority_is_not(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as url:
        transport = connection.connect(trusting(tmp_path, url, Authority()), user_agent="t")

        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            transport.send(REQUEST)


def test_without_an_authority_it_is_the_systems(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as url:
        transport = connection.connect(kubeconfig(tmp_path, {"server": url}), user_agent="t")

        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            transport.send(REQUEST)


def test_a_kubeconfig_may_ask_for_no_proof_at_all(tmp_path: Path) -> None:
    with api_server(Authority(), tmp_path) as url:
        cluster = {"server": url, "insecure-skip-tls-verify": True}
        transport = connection.connect(kubeconfig(tmp_path, cluster), user_agent="t")

        with pytest.warns(match="Unverified HTTPS request"):
            assert transport.send(REQUEST) == {}
