"""A certificate and its private key, as PEM bytes, and the proof that they belong together."""

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.errors import CertificateError

_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """``certificate`` (PEM, the leaf first) and ``key`` (PEM, without a password); the key is never printed."""

    certificate: bytes
    key: bytes = field(repr=False)


def prove(pair: Pair) -> x509.Certificate:
    """The first certificate of the pair; raises CertificateError unless both read and the key is that certificate's."""
    certificate = read_certificate(pair.certificate)
    key = read_key(pair.key)
    if public_bytes(certificate) != key.public_key().public_bytes(serialization.Encoding.DER, _SPKI):
        raise CertificateError("the private key does not belong to the certificate")
    return certificate


def read_certificate(pem: bytes) -> x509.Certificate:
    """The first certificate of the PEM bytes; raises CertificateError when there is none that reads."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateError("the certificate is not readable PEM") from None


def read_key(pem: bytes) -> PrivateKey:
    """The private key of the PEM bytes; raises CertificateError for one that does not read or is of another kind."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise CertificateError("the private key is not readable PEM without a password") from None
    if not isinstance(key, PrivateKey):
        raise CertificateError("the private key is neither ECDSA, RSA nor Ed25519")
    return key


def public_bytes(certificate: x509.Certificate) -> bytes:
    """The certificate's public key, DER: equal bytes mean the same key."""
    return certificate.public_key().public_bytes(serialization.Encoding.DER, _SPKI)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh ECDSA P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def to_pair(certificate: x509.Certificate, key: PrivateKey) -> Pair:
    """Both as PEM."""
    return Pair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
