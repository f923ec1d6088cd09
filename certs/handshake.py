"""Handshake: a server's TLS context tried by a client in the same process, with no socket between them."""

import ssl
from typing import Final

_MOST_TURNS: Final = 10


def shake_hands(server: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    """Complete a handshake in exactly that version; the client accepts any certificate. Raises ssl.SSLError."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    waiting = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(_MOST_TURNS):
        waiting = [each for each in waiting if not _is_done(each)]
        if not waiting:
            return
    raise ssl.SSLError("the handshake did not complete")


def _is_done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
