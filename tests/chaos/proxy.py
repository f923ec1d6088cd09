"""Proxy: HTTPS in front of an API server, which injects faults into requests."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

from tests.chaos.answered import Answered
from tests.chaos.fault_injection import FaultInjector
from tests.chaos.ground import Span, silence_of
from tests.chaos.handler import Server
from tests.controlplane import kubeconfig as kubeconfigs
from tests.controlplane.certificates import Authority


class Proxy:
    """Forwards to the server of a kubeconfig, as its user. Use it in a ``with``.

    It has a certificate of an authority of its own, and asks each client for one: that is how it tells them apart.
    ``interrupt`` is called with the name of the client whose request is to be the last. ``answered`` holds every write
    that reached the server, in order of the answers. Those in ``without_leases`` are refused their lease.
    ``silences`` says when a watch of whom was open without its events.
    """

    def __init__(
        self, kubeconfig: Path, injector: FaultInjector, interrupt: Callable[[str], None], folder: Path
    ) -> None:
        configuration = client.Configuration()
        load: Any = config.load_kube_config
        load(str(kubeconfig), client_configuration=configuration, persist_config=False)
        configuration.connection_pool_maxsize = 64
        configuration.retries = False
        self._pool: Any = client.ApiClient(configuration).rest_client.pool_manager
        self._origin = str(configuration.host)
        # The user's own token, where it has no certificate.
        settings: Any = configuration.auth_settings()
        self._credentials = {one["key"]: one["value"] for one in settings.values()}
        self.injector, self.interrupt = injector, interrupt
        self.answered: list[Answered] = []
        self.without_leases: set[str] = set()
        self.silences: list[Span] = []
        self._down = False
        self._lock = threading.Lock()
        self._open: dict[socket.socket, str] = {}
        self._streams: dict[Any, str] = {}
        self._authority = Authority()
        self._folder = folder
        self._server = Server(("127.0.0.1", 0), self, self._context())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._url = f"https://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.cut_all()
        self._server.server_close()
        self._thread.join()
        self._pool.clear()

    def go_down(self) -> None:
        """Refuse and cut every connection until ``come_up``."""
        self._down = True
        self.cut_all()

    def come_up(self) -> None:
        self._down = False

    @property
    def is_down(self) -> bool:
        return self._down

    def kubeconfig_for(self, who: str) -> Path:
        """That of a client of this name."""
        path = self._folder / f"{who}.kubeconfig"
        pair = self._authority.client(who, [])
        return kubeconfigs.write(path, self._url, self._authority.certificate, who, pair)

    def cut(self, *whom: str) -> None:
        """Cut their connections, so that nothing they have sent and that was not forwarded yet ever arrives."""
        with self._lock:
            for one, who in self._open.items():
                if who in whom:
                    self.shut(one)
            for stream, who in self._streams.items():
                if who in whom:
                    _end(stream)

    def cut_all(self) -> None:
        with self._lock:
            everybody = {*self._open.values(), *self._streams.values()}
        self.cut(*everybody)

    @staticmethod
    def shut(connection: socket.socket) -> None:
        # That of a TLS socket forgets the keys first: a thread that reads from it would take ciphertext for a request.
        with suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def streams(self, answer: Any, who: str, *, on: bool) -> None:
        with self._lock:
            if on:
                self._streams[answer] = who
            else:
                self._streams.pop(answer, None)

    def opened(self, connection: socket.socket, who: str) -> None:
        with self._lock:
            self._open[connection] = who

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self._authority.certificate.decode())
        pair = self._authority.serving()
        bundle = self._folder / "proxy.pem"
        bundle.touch(mode=0o600)
        bundle.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(bundle)
        bundle.unlink()
        return context

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes, *, stream: bool) -> Any:
        """The server's answer; with ``stream`` its body is not read yet."""
        return self._pool.request(
            method,
            self._origin + path,
            body=body or None,
            headers={**headers, **self._credentials},
            preload_content=not stream,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=5.0, read=700.0 if stream else 30.0),
        )

    def note_silence(self, who: str, began: float, ended: float) -> None:
        with self._lock:
            self.silences.append(silence_of(who, began, ended))

    def note(self, one: Answered) -> None:
        with self._lock:
            self.answered.append(one)


def _end(stream: Any) -> None:
    try:
        stream.shutdown()
    except (AttributeError, OSError, ValueError, RuntimeError):
        return
