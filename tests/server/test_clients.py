"""Client certificates: whose reviews are read, and the answer to all others."""

import http.client
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certs.key_pair import KeyPair
from certs.probe import probe
from tests.certs.test_client_authority import client_of
from tests.certs.world import authority
from tests.server.live import JSON, Live, Reply, reply_of, running
from tests.server.reviews import GOOD
from webhook.server.clients import ANYBODY, Clients

API_SERVER = {"subject": ((("commonName", "kube-apiserver"),),), "subjectAltName": (("DNS", "api.example.org"),)}
OTHER = {"subject": ((("commonName", "kubelet"),),)}
OF_THE_CA = Clients(is_checked=True)


@pytest.mark.parametrize(
    ("clients", "shown", "status"),
    [
        (ANYBODY, None, None),
        (ANYBODY, OTHER, None),
        (OF_THE_CA, None, 403),
        (OF_THE_CA, {}, 403),
        (OF_THE_CA, OTHER, None),
        (Clients(True, frozenset({"kube-apiserver"})), API_SERVER, None),
        (Clients(True, frozenset({"api.example.org", "another"})), API_SERVER, None),
        (Clients(True, frozenset({"kube-apiserver"})), OTHER, 403),
        (Clients(True, frozenset({"kube-apiserver"})), {"subject": ()}, 403),
    ],
)
def test_a_client_is_refused_unless_it_shows_a_certificate_with_an_allowed_name(
    clients: Clients, shown: Any, status: int | None
) -> None:
    refusal = clients.refusal(shown)
    assert (None if refusal is None else refusal.status) == status


def test_a_refused_name_is_said() -> None:
    refusal = Clients(True, frozenset({"kube-apiserver"})).refusal(OTHER)
    assert refusal is not None
    assert refusal.line == "the client certificate is for 'kubelet', which may not send reviews here"


def posted(live: Live, pair: KeyPair | None, folder: Path) -> Reply:
    """A good review, sent with this certificate. Raises OSError where the handshake is ended."""
    context = live.client_context()
    if pair is not None:
        file = folder / "client.pem"
        file.write_bytes(pair.key + pair.certificate)
        context.load_cert_chain(file)
    connection = http.client.HTTPSConnection("localhost", live.port, timeout=10, context=context)
    try:
        connection.request("POST", "/validate", GOOD, JSON)
        return reply_of(connection.getresponse())
    finally:
        connection.close()


def test_reviews_are_read_only_from_clients_of_the_ca_and_everybody_may_probe(
    certificates: Path, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    clients, strangers = authority(now), authority(now)
    file = tmp_path / "client-ca.crt"
    file.write_bytes(clients.certificate)
    with running(
        certificates, tmp_path, "--client-ca", str(file), "--client-name", "kube-apiserver", "--tls-min", "1.2"
    ) as live:
        admitted = posted(live, client_of(clients), tmp_path)
        assert (admitted.status, json.loads(admitted.body)["response"]["allowed"]) == (200, True)
        with pytest.raises(OSError, match=r"certificate required|handshake failure"):
            posted(live, None, tmp_path)
        assert posted(live, client_of(clients, "kubelet"), tmp_path).status == 403
        with pytest.raises(OSError, match="unknown ca"):
            posted(live, client_of(strangers), tmp_path)
        assert probe("localhost", live.port, 5) == (certificates / "tls.crt").read_bytes()
        assert live.get("/readyz").status == 200
        assert live.metric('stagegate_http_refused_total{status="403"}') == 1
