"""The loop's own pages, over a real socket."""

import socket
import struct
import threading
import urllib.error
import urllib.request

import pytest

from webhook.cluster.supervisor import Supervisor
from webhook.loop.endpoints import Endpoints, Page


@pytest.fixture
def pages() -> dict[str, Page]:
    return {"/healthz": lambda: (200, b"ok\n"), "/readyz": lambda: (503, b"not yet\n")}


def get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/healthz", (200, b"ok\n")),
        ("/readyz", (503, b"not yet\n")),
        ("/readyz?verbose", (503, b"not yet\n")),
        ("/etc/passwd", (404, b"not found\n")),
        ("/", (404, b"not found\n")),
    ],
)
def test_pages(pages: dict[str, Page], path: str, answer: tuple[int, bytes]) -> None:
    endpoints = Endpoints("127.0.0.1", 0, pages)
    endpoints.start()
    try:
        assert get(endpoints.port, path) == answer
    finally:
        endpoints.stop()


def test_a_page_that_fails_is_logged_whole_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> tuple[int, bytes]:
        raise ZeroDivisionError("a fault in a collector")

    faults: list[str] = []
    endpoints = Endpoints("127.0.0.1", 0, {"/metrics": fails}, Supervisor(count=faults.append))
    endpoints.start()
    try:
        assert get(endpoints.port, "/metrics") == (500, b"the page failed; the log of this process says why\n")
    finally:
        endpoints.stop()
    assert faults == ["pages"]
    assert "page /metrics" in caplog.text
    assert "ZeroDivisionError: a fault in a collector" in caplog.text


def test_a_caller_that_goes_away_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[int, bytes]:
        asked.set()
        go_on.wait(20)
        return 200, b"x" * 1_000_000

    endpoints = Endpoints("127.0.0.1", 0, {"/": slow, "/healthz": lambda: (200, b"ok\n")})
    endpoints.start()
    try:
        with socket.create_connection(("127.0.0.1", endpoints.port)) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert asked.wait(20)
        go_on.set()
        assert get(endpoints.port, "/healthz") == (200, b"ok\n")
    finally:
        endpoints.stop()
    assert caplog.records == []


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize(("host", "address"), [("::1", "[::1]"), ("::", "[::1]"), ("::", "127.0.0.1")])
def test_an_address_of_ipv6_and_everywhere_which_is_both_families(
    pages: dict[str, Page], host: str, address: str
) -> None:
    endpoints = Endpoints(host, 0, pages)
    endpoints.start()
    try:
        with urllib.request.urlopen(f"http://{address}:{endpoints.port}/healthz", timeout=5) as answer:
            assert answer.status == 200
    finally:
        endpoints.stop()


def test_a_caller_that_says_nothing_holds_nobody_up() -> None:
    endpoints = Endpoints("127.0.0.1", 0, {"/healthz": lambda: (200, b"ok\n")})
    endpoints.start()
    try:
        with socket.create_connection(("127.0.0.1", endpoints.port)):
            assert get(endpoints.port, "/healthz") == (200, b"ok\n")
    finally:
        endpoints.stop()
