"""A handshake in memory succeeds only if a client of that version could use the server."""

import ssl

import pytest

from certs.context import LiveContext
from certs.handshake import shake_hands
from tests.certs.world import START, authority, leaf

PAIR = leaf(authority())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_good_pair_can_be_used(version: ssl.TLSVersion) -> None:
    live = LiveContext("1.2")
    live.load(PAIR, START)
    shake_hands(live.context, version)


def test_a_version_that_is_not_offered_cannot() -> None:
    live = LiveContext("1.3")
    live.load(PAIR, START)
    with pytest.raises(ssl.SSLError):
        shake_hands(live.context, ssl.TLSVersion.TLSv1_2)


def test_a_server_without_a_certificate_cannot() -> None:
    with pytest.raises(ssl.SSLError):
        shake_hands(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.TLSVersion.TLSv1_3)
