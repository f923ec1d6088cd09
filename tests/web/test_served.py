"""The pages on a port: many viewers of live pages, and clients that are slow, beside honest ones."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection

import pytest

from tests.diagnosis.worlds import ro, world
from tests.waiting import eventually
from tests.web.pages import FakeSource, app_of
from webhook.cluster.resource import ROLLOUT_ORCHESTRATORS
from webhook.listening import listen
from webhook.pages_server import PageLimits, PagesServer

PATIENCE = 60.0
"""Seconds; more than anything here takes on a busy machine."""
STREAMS = 24
FAILED = world({ROLLOUT_ORCHESTRATORS: [ro({"StageReady": {"status": "False", "reason": "x", "message": "y"}})]})


@contextmanager
def serving(source: FakeSource) -> Iterator[int]:
    """Serve the pages with as many streams, and one thread beside them; gives the port."""
    listener, ended = listen("127.0.0.1", 0), threading.Event()
    port = listener.getsockname()[1]
    app = app_of(source, streams=STREAMS, ended=ended)
    server = PagesServer(app, listener, limits=PageLimits(threads=STREAMS + 1, connections=200))
    server.start()
    try:
        yield port
    finally:
        ended.set()
        source.show(source.shown)
        server.stop()


class Viewer:
    """A client that asks for one page and keeps its connection until ``close``."""

    def __init__(self, port: int, path: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection.request("GET", path)
        self.answer = self._connection.getresponse()

    def next_event(self) -> str:
        """The next event that carries a fragment; empty at the end of the stream."""
        lines: list[bytes] = []
        while line := self.answer.readline():
            lines.append(line)
            if line == b"\n":
                if lines[0].startswith(b"event: "):
                    return b"".join(lines).decode()
                lines.clear()
        return ""

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def test_every_viewer_sees_the_change_beside_clients_that_never_end_their_headers() -> None:
    source = FakeSource(world())
    with serving(source) as port, ExitStack() as clients:

        def viewer(path: str) -> Viewer:
            return clients.enter_context(closing(Viewer(port, path)))

        for _ in range(100):
            slow = clients.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            slow.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        streams = [viewer("/?format=stream") for _ in range(STREAMS)]
        assert all("Progressing" in stream.next_event() for stream in streams)
        refused = viewer("/?format=stream").answer
        assert (refused.status, refused.getheader("Retry-After")) == (503, "30")
        assert b"Progressing" in viewer("/").answer.read()

        source.show(FAILED)
        assert all("Failed" in stream.next_event() for stream in streams)


def test_a_viewer_that_leaves_makes_room_for_another(caplog: pytest.LogCaptureFixture) -> None:
    source = FakeSource(world())
    with serving(source) as port:
        for _ in range(STREAMS):
            with closing(Viewer(port, "/?format=stream")) as viewer:
                assert viewer.next_event()

        def finds_room() -> bool:
            # A stream notices that its viewer has left when it writes.
            source.show(world() if source.shown is FAILED else FAILED)
            with closing(Viewer(port, "/?format=stream")) as viewer:
                return bool(viewer.answer.status == 200 and viewer.next_event())

        eventually(finds_room, "there is room for another", within=PATIENCE)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
