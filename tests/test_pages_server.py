"""The server of pages on a port: it ends in good order, and slow or silent clients do not keep it from honest ones."""

import logging
import os
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from flask import Flask, Response

from webhook.cluster.supervisor import Supervisor
from webhook.listening import listen
from webhook.pages_server import PageLimits, PagesServer

PATIENCE = 60.0
"""Seconds; more than anything here takes on a busy machine."""


def app() -> Flask:
    pages = Flask("pages")
    pages.add_url_rule("/", "front", lambda: "ok\n")
    return pages


def app_with_slow_page(body: bytes) -> tuple[Flask, threading.Event, threading.Event]:
    """An app whose page /slow sets the first event when it is asked for, and answers once the second is set."""
    asked, go_on = threading.Event(), threading.Event()
    pages = app()

    @pages.get("/slow")
    def slow() -> bytes:
        asked.set()
        go_on.wait(PATIENCE)
        return body

    return pages, asked, go_on


@contextmanager
def serving(
    pages: Flask, limits: PageLimits | None = None, count: Callable[[str], None] = lambda loop: None
) -> Iterator[int]:
    """Serve an app; gives its port."""
    listener = listen("127.0.0.1", 0)
    server = PagesServer(pages, listener, Supervisor(count=count), limits)
    port = listener.getsockname()[1]
    server.start()
    try:
        yield port
    finally:
        server.stop()


def get(port: int, path: str = "/") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def connected(port: int, sends: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE)
    client.sendall(sends)
    return client


def is_closed(client: socket.socket) -> bool:
    """True once the server has closed the connection, which a client that goes on sending may see as a reset."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def test_pages_are_served_until_stopped() -> None:
    with serving(app()) as port:
        assert get(port) == (200, b"ok\n")
        assert get(port, "/absent")[0] == 404
    assert "pages" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(OSError, match="refused"):
        connected(port)


def test_it_stops_in_good_order_where_something_else_wakes_it_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of the sockets may find what ``stop`` asks of it before ``stop`` has woken it."""
    write = os.write

    def woken_before(descriptor: int, data: bytes) -> int:
        write(descriptor, data)
        until = time.monotonic() + 0.5
        while time.monotonic() < until and is_open(descriptor):
            time.sleep(0.01)
        return write(descriptor, data)

    with serving(app()) as port:
        assert get(port) == (200, b"ok\n")
        monkeypatch.setattr(os, "write", woken_before)
    monkeypatch.undo()

    assert "pages" not in {thread.name for thread in threading.enumerate()}


def makers_of_pages() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("waitress")]


def test_a_page_that_is_done_after_the_end_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread may be about to wake the thread of the sockets, by a descriptor, when all of them are closed."""
    write, asked, ended = os.write, threading.Event(), threading.Event()

    def woken_after(descriptor: int, data: bytes) -> int:
        if threading.current_thread() in makers_of_pages():
            asked.set()
            ended.wait(PATIENCE)
        return write(descriptor, data)

    listener = listen("127.0.0.1", 0)
    server = PagesServer(app(), listener, limits=PageLimits(threads=1))
    server.start()
    monkeypatch.setattr(os, "write", woken_after)
    (maker,) = makers_of_pages()
    with connected(listener.getsockname()[1], b"GET / HTTP/1.0\r\n\r\n"):
        assert asked.wait(PATIENCE)
        server.stop()
        assert "pages" not in {thread.name for thread in threading.enumerate()}
        ended.set()
        maker.join(PATIENCE)
    server.stop()

    assert not maker.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_end_frees_the_thread_of_a_client_that_takes_nothing() -> None:
    ended = threading.Event()
    with serving(endless(ended), PageLimits(threads=1, write=600.0)) as port:
        (maker,) = makers_of_pages()
        client = connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1)
    with client:
        maker.join(PATIENCE)
    assert ended.is_set()
    assert not maker.is_alive()


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_server_that_never_started_can_be_stopped() -> None:
    PagesServer(app(), listen("127.0.0.1", 0)).stop()


def test_a_caller_that_goes_away_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    pages, asked, go_on = app_with_slow_page(b"x" * 1_000_000)
    faults: list[str] = []
    with serving(pages, count=faults.append) as port:
        with connected(port, b"GET /slow HTTP/1.0\r\n\r\n") as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            assert asked.wait(PATIENCE)
        go_on.set()
        assert get(port) == (200, b"ok\n")
    assert faults == []
    # On a busy machine a request may wait for a thread to wake, which waitress warns of.
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record for record in warned if record.name != "waitress.queue"] == []


PARTS = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "half a header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
}


@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
def test_clients_that_stop_in_their_request_hold_no_thread(sent: bytes) -> None:
    with serving(app(), PageLimits(threads=1)) as port, ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(connected(port, sent))
        assert get(port) == (200, b"ok\n")


@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
def test_the_first_of_too_many_gives_way(sent: bytes) -> None:
    patient = PageLimits(threads=1, connections=50, request=600.0, idle=600)
    with serving(app(), patient) as port, ExitStack() as clients:
        slow = [clients.enter_context(connected(port, sent)) for _ in range(120)]
        assert get(port) == (200, b"ok\n")
        assert all(is_closed(client) for client in slow[:70])
        slow[-1].settimeout(0.1)
        with pytest.raises(TimeoutError):
            slow[-1].recv(1)


def test_a_page_under_way_gives_way_to_nobody() -> None:
    pages, asked, go_on = app_with_slow_page(b"done\n")
    patient = PageLimits(connections=5, request=600.0, idle=600)
    with serving(pages, patient) as port, ExitStack() as clients:
        busy = clients.enter_context(connected(port, b"GET /slow HTTP/1.0\r\n\r\n"))
        assert asked.wait(PATIENCE)
        for _ in range(20):
            clients.enter_context(connected(port))
        assert get(port) == (200, b"ok\n")
        go_on.set()
        assert busy.makefile("rb").read().endswith(b"done\n")


@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
def test_they_are_closed_so_that_others_find_room(sent: bytes) -> None:
    limits = PageLimits(connections=6, request=0.2, idle=1)
    with serving(app(), limits) as port, ExitStack() as clients:
        slow = [clients.enter_context(connected(port, sent)) for _ in range(10)]
        assert get(port) == (200, b"ok\n")
        assert all(is_closed(client) for client in slow)


def test_a_byte_now_and_then_puts_nothing_off() -> None:
    limits = PageLimits(connections=6, request=0.5, idle=60)
    done = threading.Event()

    def drip(client: socket.socket) -> None:
        with client:
            client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            while not done.wait(0.1):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    with serving(app(), limits) as port:
        threads = [threading.Thread(target=drip, args=(connected(port),)) for _ in range(6)]
        for thread in threads:
            thread.start()
        assert get(port) == (200, b"ok\n")
        for thread in threads[:4]:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads[:4]), "the first four were closed while they dripped"
        done.set()
        for thread in threads:
            thread.join(PATIENCE)


def test_requests_on_one_connection_have_a_deadline_each() -> None:
    with serving(app(), PageLimits(request=0.5, idle=60)) as port, connected(port) as client:
        answers = client.makefile("rb")
        for _ in range(4):
            threading.Event().wait(0.3)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while answers.readline() != b"ok\n":
                pass


def endless(ended: threading.Event) -> Flask:
    """Pages with a stream of which a client can never get enough."""
    pages = app()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            ended.set()

    pages.add_url_rule("/stream", "stream", lambda: Response(pieces()))
    return pages


def test_a_client_that_takes_nothing_of_its_response_is_closed() -> None:
    ended = threading.Event()
    limits = PageLimits(threads=1, write=0.5)
    with serving(endless(ended), limits) as port, connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"):
        assert ended.wait(PATIENCE), "its thread is free again"
        assert get(port) == (200, b"ok\n")


def test_one_that_takes_it_slowly_is_not() -> None:
    ended = threading.Event()
    limits = PageLimits(threads=2, write=5.0)
    with serving(endless(ended), limits) as port:
        with connected(port, b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n") as client:
            for _ in range(400):
                assert client.recv(100_000)
            assert not ended.is_set()
            assert get(port) == (200, b"ok\n")
        assert ended.wait(PATIENCE), "it ends with its client"


def test_half_a_request_behind_one_that_is_being_answered_waits_for_its_end() -> None:
    pages, _, go_on = app_with_slow_page(b"done\n")
    limits, cut = PageLimits(threads=2, request=0.2), b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"
    with serving(pages, limits) as port, connected(port, cut) as client:
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            assert get(port) == (200, b"ok\n")
        go_on.set()
        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
