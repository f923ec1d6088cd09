"""A TLS server in a thread, for handshakes with a live context."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from certs.context import LiveContext


@contextmanager
def serving(live: LiveContext) -> Iterator[int]:
    """The port of a server that shakes hands with one client after another, echoes what it gets, and survives all."""
    listener = socket.create_server(("127.0.0.1", 0))
    closed = threading.Event()

    def echo(peer: socket.socket) -> None:
        try:
            with live.context.wrap_socket(peer, server_side=True) as tls:
                while data := tls.recv(100):
                    tls.sendall(data)
        except OSError:
            peer.close()

    def serve() -> None:
        while not closed.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        closed.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
