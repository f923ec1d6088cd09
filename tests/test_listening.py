"""Listening at one address, at every address of both families, and where there is no IPv6."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from webhook.listening import EVERYWHERE, joined, listen, reachable

needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def everywhere() -> Iterator[socket.socket]:
    with closing(listen(EVERYWHERE, 0)) as listener:
        yield listener


@needs_ipv6
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_everywhere_is_both_families(everywhere: socket.socket, host: str) -> None:
    assert answers(host, everywhere.getsockname()[1])


@needs_ipv6
def test_everywhere_is_both_families_whatever_the_machine_is_set_to(everywhere: socket.socket) -> None:
    assert everywhere.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0


def without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the kernel was started without it."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)


def without_an_address_of_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is there but not to be used."""

    class Socket(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
            super().bind(address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Socket)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)


@pytest.mark.parametrize("how", [without_ipv6, without_an_address_of_ipv6])
def test_everywhere_is_ipv4_alone_where_there_is_no_ipv6(
    monkeypatch: pytest.MonkeyPatch, how: Callable[[pytest.MonkeyPatch], None]
) -> None:
    how(monkeypatch)
    with closing(listen(EVERYWHERE, 0)) as listener:
        assert (listener.family, listener.getsockname()[0]) == (socket.AF_INET, "0.0.0.0")
        assert answers("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "127.0.0.2"), ("::1", "127.0.0.1")])
@needs_ipv6
def test_one_address_is_no_other(host: str, other: str) -> None:
    with closing(listen(host, 0)) as listener:
        port = listener.getsockname()[1]
        assert (answers(host, port), answers(other, port)) == (True, False)


def test_a_port_that_is_taken_is_taken_in_both_families() -> None:
    with closing(listen("127.0.0.1", 0)) as other, pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        listen(EVERYWHERE, other.getsockname()[1])


@pytest.mark.parametrize("host", ["no such host", "a" * 64, "a..b"])
def test_an_unknown_host_is_distinguished(host: str) -> None:
    with pytest.raises(socket.gaierror):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::", "localhost:80"), ("::1", "[::1]:80"), ("127.0.0.1", "127.0.0.1:80"), ("a.b", "a.b:80")],
)
def test_where_to_ask(host: str, expected: str) -> None:
    assert joined(reachable(host), 80) == expected
