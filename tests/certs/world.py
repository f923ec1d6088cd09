"""Certificates made for a test, at a time that the test chooses."""

from datetime import UTC, datetime, timedelta

from cryptography import x509

from certs.authority import is_issued_by, make_authority
from certs.bundle import read_bundle
from certs.contents import Contents
from certs.key_pair import KeyPair, read_certificate
from certs.leaf import make_leaf
from certs.rotation import RotationPolicy

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = RotationPolicy(
    authority_lifetime=90 * DAY,
    leaf_lifetime=30 * DAY,
    settle=timedelta(seconds=30),
    probe_again=timedelta(seconds=5),
)
HOSTS = ("stagegate.stagegate-system.svc",)


def authority(now: datetime = START) -> KeyPair:
    return make_authority(now, POLICY.authority_lifetime)


def leaf(issuer: KeyPair, now: datetime = START, hosts: tuple[str, ...] = HOSTS) -> KeyPair:
    return make_leaf(issuer, hosts, now, POLICY.leaf_lifetime)


def contents(signer: KeyPair, served: KeyPair, *also_trusted: KeyPair) -> Contents:
    bundle = b"".join(each.certificate for each in (signer, *also_trusted))
    return Contents(bundle, signer.key, served.certificate, served.key)


def verifies(shown: bytes, bundle: bytes) -> bool:
    """Whether a client that trusts the bundle accepts the certificate, leaving time aside."""
    certificate = read_certificate(shown)
    return any(is_issued_by(certificate, each) for each in read_bundle(bundle))


def certificate(pair: KeyPair) -> x509.Certificate:
    return read_certificate(pair.certificate)
