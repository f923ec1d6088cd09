"""Bundles: unreadable parts are skipped in reading, and the same authorities give the same bytes."""

import pytest

from certs.bundle import read_bundle, write_bundle
from certs.key_pair import KeyPair
from tests.certs.world import authority, certificate, leaf

A, B = authority(), authority()
LEAF = leaf(A)


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (b"", []),
        (b"nonsense", []),
        (A.certificate, [A]),
        (A.certificate + B.certificate, [A, B]),
        (B.certificate + A.certificate + B.certificate, [B, A]),
        (b"# ours\n" + A.certificate + b"\n\n" + B.certificate, [A, B]),
        (A.certificate + LEAF.certificate, [A]),
        (A.certificate[:300] + B.certificate, [B]),
        (B.certificate + A.certificate[:300], [B]),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + A.certificate, [A]),
    ],
    ids=["empty", "nonsense", "one", "two", "twice", "words", "a leaf", "first cut", "last cut", "no certificate"],
)
def test_read_bundle(pem: bytes, expected: list[KeyPair]) -> None:
    assert list(read_bundle(pem)) == [certificate(each) for each in expected]


def test_write_bundle_is_what_read_bundle_reads() -> None:
    pem = write_bundle([certificate(A), certificate(B), certificate(A)])
    assert pem == A.certificate + B.certificate
    assert write_bundle(read_bundle(pem)) == pem
