"""A webhook that answers what a test tells it to, over TLS."""

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from sandbox.identity import Credentials
from tests.sandbox.wire import Object

Answer = Callable[[Object], Any]
"""From the request of a review to its response; bytes are sent as they are, None hangs up."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


class Receiver:
    """Keeps the requests of the reviews it was sent."""

    def __init__(self, directory: Path, names: tuple[str, ...] = ("127.0.0.1",)) -> None:
        credentials = Credentials(directory, names)
        self.bundle = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
        self.requests: list[Object] = []
        self.paths: list[str] = []
        self.answer: Answer = lambda request: {"allowed": True}
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.socket = credentials.context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def client_config(self, path: str = "/answer") -> Object:
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.bundle}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests.append(review["request"])
                receiver.paths.append(self.path)
                answer = receiver.answer(review["request"])
                if answer is None:
                    self.close_connection = True
                    return
                if not isinstance(answer, bytes):
                    response = {"uid": review["request"]["uid"], **answer}
                    whole = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
                    answer = json.dumps(whole).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        return Handler


def patching(*operations: Object) -> Object:
    """A response that allows and changes."""
    patch = base64.b64encode(json.dumps(list(operations)).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}
