"""Certificates made for a test, at a time that the test chooses."""

from datetime import UTC, datetime, timedelta

from cryptography import x509

from certs.authority import is_issued_by, make_authority
from certs.bundle import read_bundle
from certs.contents import Contents
from certs.leaf import make_leaf
from certs.pair import Pair, read_certificate
from certs.rotation import Terms

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Terms(
    authority_lifetime=90 * DAY,
    leaf_lifetime=30 * DAY,
    settle=timedelta(seconds=30),
    probe_again=timedelta(seconds=5),
)
HOSTS = ("stagegate.stagegate-system.svc",)


def authority(now: datetime = START) -> Pair:
    return make_authority(now, TERMS.authority_lifetime)


def leaf(issuer: Pair, now: datetime = START, hosts: tuple[str, ...] = HOSTS) -> Pair:
    return make_leaf(issuer, hosts, now, TERMS.leaf_lifetime)


def contents(signer: Pair, served: Pair, *also_trusted: Pair) -> Contents:
    bundle = b"".join(each.certificate for each in (signer, *also_trusted))
    return Contents(bundle, signer.key, served.certificate, served.key)


def verifies(shown: bytes, bundle: bytes) -> bool:
    """Whether a client that trusts the bundle accepts the certificate, leaving time aside."""
    certificate = read_certificate(shown)
    return any(is_issued_by(certificate, each) for each in read_bundle(bundle))


def certificate(pair: Pair) -> x509.Certificate:
    return read_certificate(pair.certificate)
