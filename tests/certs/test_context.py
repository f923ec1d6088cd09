"""The live context in real handshakes: a good pair reaches the next one, a bad pair reaches none."""

import socket
import ssl
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from certs.context import LiveContext
from certs.errors import CertificateError
from certs.pair import Pair, to_pair
from certs.probe import probe
from tests.certs.tls_server import serving
from tests.certs.world import DAY, START, authority, leaf

CA = authority()
FIRST, SECOND = leaf(CA), leaf(CA)


def test_a_new_pair_is_shown_in_the_next_handshake() -> None:
    live = LiveContext()
    assert live.load(FIRST, START)
    with serving(live) as port:
        assert probe("127.0.0.1", port, 5) == FIRST.certificate
        assert live.load(SECOND, START)
        assert probe("127.0.0.1", port, 5) == SECOND.certificate


def test_a_pair_of_another_algorithm_takes_the_place_of_the_last_one() -> None:
    """OpenSSL keeps one pair of each, and would go on choosing the older."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, START - DAY, START + DAY).sign(key, hashes.SHA256())
    other = to_pair(made, key)
    live = LiveContext()
    with serving(live) as port:
        for pair in (FIRST, other, SECOND):
            live.load(pair, START)
            assert probe("127.0.0.1", port, 5) == pair.certificate


def test_an_open_connection_lives_on() -> None:
    live = LiveContext()
    live.load(FIRST, START)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with (
        serving(live) as port,
        socket.create_connection(("127.0.0.1", port), 5) as connection,
        client.wrap_socket(connection) as tls,
    ):
        tls.sendall(b"before")
        assert tls.recv(100) == b"before"
        live.load(SECOND, START)
        tls.sendall(b"after")
        assert tls.recv(100) == b"after"


@pytest.mark.parametrize(
    ("bad", "now", "reason"),
    [
        (Pair(SECOND.certificate, FIRST.key), START, "does not belong"),
        (Pair(SECOND.certificate[:100], SECOND.key), START, "not readable"),
        (Pair(SECOND.certificate, b""), START, "not readable"),
        (SECOND, START + 40 * DAY, "expired at 2030-01-31T00:00:00Z"),
        (SECOND, START - DAY, "not valid before"),
    ],
    ids=["mismatch", "cut certificate", "no key", "expired", "not yet valid"],
)
def test_the_last_good_pair_stays(bad: Pair, now: datetime, reason: str) -> None:
    live = LiveContext()
    live.load(FIRST, START)
    with serving(live) as port:
        with pytest.raises(CertificateError, match=reason):
            live.load(bad, now)
        assert probe("127.0.0.1", port, 5) == FIRST.certificate
    assert live.pair == FIRST


def test_a_pair_that_matches_but_is_too_weak_for_tls_leaves_the_last_good_one() -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, START - DAY, START + DAY).sign(key, hashes.SHA256())
    live = LiveContext()
    live.load(FIRST, START)
    with serving(live) as port:
        with pytest.raises(CertificateError, match="TLS does not accept the pair"):
            live.load(to_pair(made, key), START)
        assert probe("127.0.0.1", port, 5) == FIRST.certificate
    assert live.pair == FIRST


def test_the_same_pair_is_not_loaded_again() -> None:
    live = LiveContext()
    assert live.load(FIRST, START) is True
    assert live.load(Pair(FIRST.certificate, FIRST.key), START) is False


@pytest.mark.parametrize(("minimum", "accepted"), [("1.3", False), ("1.2", True)])
def test_tls_1_2_only_on_request(minimum: str, accepted: bool) -> None:
    live = LiveContext(minimum)
    live.load(FIRST, START)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(live) as port, socket.create_connection(("127.0.0.1", port), 5) as connection:
        if accepted:
            with client.wrap_socket(connection) as tls:
                assert tls.version() == "TLSv1.2"
        else:
            with pytest.raises(ssl.SSLError):
                client.wrap_socket(connection)


def test_a_probe_of_nothing_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(CertificateError, match=f"no TLS handshake with 127.0.0.1:{port}"):
        probe("127.0.0.1", port, 5)


def test_a_probe_of_a_silent_server_ends() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(CertificateError, match="no TLS handshake"),
    ):
        probe("127.0.0.1", silent.getsockname()[1], 0.1)
