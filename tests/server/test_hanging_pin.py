"""An API server that takes a pin and does not answer: others are answered meanwhile, and the Revision in time."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.admission.test_knative_objects import HELD, review, revision, update
from tests.cluster.api_server import kubeconfig
from tests.knative.routes import floating, route, service
from tests.server.live import Live, eventually, running
from tests.server.reviews import GOOD

LISTS = {"services": [service(resourceVersion="5")], "routes": [route()]}


class Hanging(ThreadingHTTPServer):
    """Lists one Service and its Route. Watches say nothing, and patches are not answered before ``ended``."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.patches = 0
        super().__init__(("127.0.0.1", 0), _Answers)


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hanging

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if "watch=true" in query:
            self._begin("Transfer-Encoding", "chunked")
            self.server.ended.wait()
            self.close_connection = True
            return
        items = LISTS.get(path.rpartition("/")[2], [])
        body = json.dumps({"metadata": {"resourceVersion": "10"}, "items": items}).encode()
        self._begin("Content-Length", str(len(body)))
        self.wfile.write(body)

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.patches += 1
        self.server.ended.wait()
        self.close_connection = True

    def _begin(self, header: str, value: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header(header, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """A test prints nothing."""


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    server = Hanging()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_others_are_answered_while_a_pin_waits(certificates: Path, tmp_path: Path, hanging: Hanging) -> None:
    config = kubeconfig(tmp_path, {"server": f"http://127.0.0.1:{hanging.server_address[1]}"}, {})
    with running(certificates, tmp_path, "--kubeconfig", config) as live, ThreadPoolExecutor(1) as threads:
        eventually(lambda: live.metric("stagegate_knative_synced") == 1, "Knative's objects have been read")

        def is_answered_first(number: int) -> bool:
            """Whether others were answered before the pin of this Revision had ended; on a busy machine not always."""
            before = hanging.patches
            pinning = threads.submit(_new_revision, live, f"hello-{number:05}")
            eventually(lambda: hanging.patches > before, "the pin is sent")
            for path, body in (("/validate", GOOD), ("/knative", update(HELD, route([floating(100)])))):
                assert _response(live, path, body)["allowed"] is True
            others_first = not pinning.done()
            response = pinning.result(60)
            assert (response["allowed"], "patch" in response) == (True, False)
            return others_first

        assert any(map(is_answered_first, range(2, 7)))
        ended = [live.metric(f'stagegate_pins_total{{result="{result}"}}') for result in ("failed", "late")]
        assert sum(ended) == hanging.patches


def _new_revision(live: Live, name: str) -> dict[str, Any]:
    labels = {"serving.knative.dev/service": "hello"}
    one = revision(name=name, labels=labels, annotations={"autoscaling.knative.dev/min-scale": "4"})
    return _response(live, "/knative", review(one))


def _response(live: Live, path: str, body: bytes) -> dict[str, Any]:
    return dict(json.loads(live.post(path, body).body)["response"])
