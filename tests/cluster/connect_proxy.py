"""A real CONNECT proxy on loopback, over plain TCP or TLS, that may ask for credentials and records who passed."""

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.controlplane.certificates import Authority


@dataclass
class ConnectProxy:
    address: str
    wanted: str = ""
    """``user:password``; empty for anybody."""
    tunnels: list[str] = field(default_factory=list)
    """The targets it was asked for, ``HOST:PORT``, or whole URLs of plain requests."""


@contextmanager
def connect_proxy(folder: Path, authority: Authority | None = None, wanted: str = "") -> Iterator[ConnectProxy]:
    """Over TLS with a leaf of the authority, if one is given. Ends with all its tunnels."""
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair = authority.serving()
        (folder / "proxy.pem").write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(folder / "proxy.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    proxy = ConnectProxy(f"127.0.0.1:{listener.getsockname()[1]}", wanted)
    ended = threading.Event()

    def accept() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threading.Thread(target=_serve, args=(connection, context, proxy, ended), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        ended.set()
        thread.join()
        listener.close()


def _serve(
    connection: socket.socket, context: ssl.SSLContext | None, proxy: ConnectProxy, ended: threading.Event
) -> None:
    # What goes wrong here is the client's to see.
    with suppress(OSError), connection:
        client = connection if context is None else context.wrap_socket(connection, server_side=True)
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(4096)
                if not piece:
                    return
                head += piece
            first, *rest = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            proxy.tunnels.append(target)
            expected = f"Basic {base64.b64encode(proxy.wanted.encode()).decode()}"
            if proxy.wanted and headers.get("proxy-authorization") != expected:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if method != "CONNECT":
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                return
            # Every name leads to loopback, so that a test may call its server by any.
            with socket.create_connection(("127.0.0.1", int(target.rpartition(":")[2]))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _carry(client, server, ended)


def _carry(client: socket.socket, server: socket.socket, ended: threading.Event) -> None:
    while not ended.is_set():
        waiting = client.pending() if isinstance(client, ssl.SSLSocket) else 0
        ready = [client] if waiting else select.select([client, server], [], [], 0.1)[0]
        for source, sink in ((client, server), (server, client)):
            if source in ready:
                piece = source.recv(65536)
                if not piece:
                    return
                sink.sendall(piece)
