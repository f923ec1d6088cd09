"""A key pair is checked, or refused with the reason; the key is never shown."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from certs.errors import CertificateError
from certs.key_pair import KeyPair, check_public_key, new_key, prove, read_key
from tests.certs.world import authority, certificate, leaf

CA = authority()
LEAF = leaf(CA)


def pem(key: rsa.RSAPrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    secret = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)


def test_a_matching_pair_gives_its_certificate() -> None:
    assert prove(LEAF) == certificate(LEAF)


def test_a_chain_is_proven_by_its_first_certificate() -> None:
    assert prove(KeyPair(LEAF.certificate + CA.certificate, LEAF.key)) == certificate(LEAF)
    with pytest.raises(CertificateError, match="does not belong"):
        prove(KeyPair(CA.certificate + LEAF.certificate, LEAF.key))


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (KeyPair(LEAF.certificate, CA.key), "the private key does not belong to the certificate"),
        (KeyPair(b"", LEAF.key), "the certificate is not readable"),
        (KeyPair(LEAF.key, LEAF.key), "the certificate is not readable"),
        (KeyPair(LEAF.certificate[:200], LEAF.key), "the certificate is not readable"),
        (KeyPair(LEAF.certificate, b""), "the private key is not readable"),
        (KeyPair(LEAF.certificate, LEAF.certificate), "the private key is not readable"),
        (
            KeyPair(LEAF.certificate, pem(new_key(), b"secret")),
            "the private key is not readable PEM without a password",
        ),
        (KeyPair(LEAF.certificate, pem(ec.generate_private_key(ec.SECP256K1()))), "on the curve secp256k1"),
        (KeyPair(LEAF.certificate, pem(ed448.Ed448PrivateKey.generate())), "neither ECDSA, RSA nor Ed25519"),
    ],
)
def test_what_does_not_match_or_read_is_refused(pair: KeyPair, reason: str) -> None:
    with pytest.raises(CertificateError, match=reason):
        prove(pair)


def test_keys_made_elsewhere_are_read() -> None:
    assert isinstance(read_key(pem(rsa.generate_private_key(65537, 2048))), rsa.RSAPrivateKey)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (rsa.RSAPublicNumbers(65537, 2**8192 + 1), "has 8193 bits"),
        (rsa.RSAPublicNumbers(2**31 + 1, 2**2047 + 1), "more than 31 bits"),
    ],
    ids=["bits", "exponent"],
)
def test_rsa_keys_beyond_what_clients_take_are_refused(key: rsa.RSAPublicNumbers, reason: str) -> None:
    with pytest.raises(CertificateError, match=reason):
        check_public_key(key.public_key())


@pytest.mark.parametrize("key", [rsa.RSAPublicNumbers(65537, 2**8191 + 1), rsa.RSAPublicNumbers(3, 2**2047 + 1)])
def test_rsa_keys_that_clients_take_pass(key: rsa.RSAPublicNumbers) -> None:
    check_public_key(key.public_key())


def test_new_keys_are_on_p256() -> None:
    assert isinstance(new_key().curve, ec.SECP256R1)


def test_the_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(LEAF)
