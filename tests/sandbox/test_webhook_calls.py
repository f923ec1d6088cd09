"""What the sandbox says of a webhook whose answer it cannot use."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sandbox.webhook_calls import CallFailed, WebhookCalls

REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
WANTED = ("admission.k8s.io/v1", "AdmissionReview", "a")


class Answering(BaseHTTPRequestHandler):
    """Answers every call with the bytes of its server."""

    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    found: Any = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.shutdown()
    thread.join(30)
    found.server_close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no JSON", "no AdmissionReview: JSONDecodeError('Expecting value: line 1 column 1 (char 0)')"),
        (json.dumps(REVIEW).encode(), "no AdmissionReview: KeyError('response')"),
        (
            json.dumps({**REVIEW, "response": {"uid": "b"}}).encode(),
            f"it has {('admission.k8s.io/v1', 'AdmissionReview', 'b')} where {WANTED} is expected",
        ),
    ],
)
def test_the_cause_is_told(content: bytes, why: str, server: Any) -> None:
    server.content = content
    calls = WebhookCalls()
    with pytest.raises(CallFailed) as raised:
        calls.ask({"url": f"http://127.0.0.1:{server.server_port}/validate"}, {"request": {"uid": "a"}}, 30)
    calls.close()
    assert str(raised.value) == f"received invalid webhook response: {why}"
