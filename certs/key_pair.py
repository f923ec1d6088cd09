"""A certificate and its private key, as PEM bytes, and the check that they belong together."""

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.errors import CertificateError

_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_MOST_RSA_BITS: Final = 8192
_MOST_RSA_EXPONENT: Final = 2**31 - 1
# The library raises each of these for some damaged or unusual bytes.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class KeyPair:
    """``certificate`` (PEM, the leaf first) and ``key`` (PEM, without a password); the key is never printed."""

    certificate: bytes
    key: bytes = field(repr=False)


def prove(key_pair: KeyPair) -> x509.Certificate:
    """The first certificate; raises CertificateError unless both are readable and the key is that certificate's."""
    certificate = read_certificate(key_pair.certificate)
    key = read_key(key_pair.key)
    if public_bytes(certificate) != key.public_key().public_bytes(serialization.Encoding.DER, _SPKI):
        raise CertificateError("the private key does not belong to the certificate")
    return certificate


def read_certificate(pem: bytes) -> x509.Certificate:
    """The first certificate of the PEM bytes; raises CertificateError if none can be read."""
    try:
        return _whole(x509.load_pem_x509_certificate(pem))
    except _UNREADABLE:
        raise CertificateError("the certificate is not readable PEM") from None


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """Every certificate of the PEM bytes; raises CertificateError if one cannot be read, or if there is none."""
    try:
        return [_whole(each) for each in x509.load_pem_x509_certificates(pem)]
    except _UNREADABLE:
        raise CertificateError("a certificate of the chain is not readable PEM") from None


def read_key(pem: bytes) -> PrivateKey:
    """The private key of the PEM bytes; raises CertificateError if it cannot be read, or if no client accepts it."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except _UNREADABLE:
        raise CertificateError("the private key is not readable PEM without a password") from None
    if not isinstance(key, PrivateKey):
        raise CertificateError("the private key is neither ECDSA, RSA nor Ed25519")
    check_public_key(key.public_key())
    return key


def check_public_key(key: object) -> None:
    """Raise CertificateError for a key that clients do not accept.

    API servers and kubectl verify by Go's crypto/x509 and crypto/tls, whose bounds these are.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CURVES):
        raise CertificateError(f"the key is on the curve {key.curve.name}: clients accept P-256, P-384 and P-521")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size > _MOST_RSA_BITS:
            raise CertificateError(f"the RSA key has {key.key_size} bits: clients accept no more than {_MOST_RSA_BITS}")
        if key.public_numbers().e > _MOST_RSA_EXPONENT:
            raise CertificateError("the exponent of the RSA key has more than 31 bits, which clients do not accept")


def public_bytes(certificate: x509.Certificate) -> bytes:
    """The certificate's public key, DER: equal bytes mean the same key."""
    return certificate.public_key().public_bytes(serialization.Encoding.DER, _SPKI)


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh ECDSA P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def to_key_pair(certificate: x509.Certificate, key: PrivateKey) -> KeyPair:
    """Both as PEM."""
    return KeyPair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _whole(certificate: x509.Certificate) -> x509.Certificate:
    """The certificate, its key and its extensions read once: the library reads both only when asked for them."""
    certificate.public_key()
    iter(certificate.extensions)
    return certificate
