"""Calls that no API server makes: each gets a clear answer, and the next call is served."""

import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.server.live import JSON, Live
from tests.server.reviews import GOOD, review, spa

MIB = 1024 * 1024


class Row(NamedTuple):
    name: str
    body: Any
    status: int
    says: str
    headers: dict[str, str] = JSON
    path: str = "/validate"
    method: str = "POST"


def endless(megabytes: int) -> Iterator[bytes]:
    for _ in range(megabytes):
        yield b"x" * MIB


def changed(**request: Any) -> bytes:
    return review(spa(stageMinScale=1), **request)


ROWS = [
    Row("no body", b"", 400, ""),
    Row("no JSON", b"{", 400, ""),
    Row("not UTF-8", b"\xff\xfe{}", 400, ""),
    Row("a number", b"7", 400, ""),
    Row("no request", b"{}", 400, ""),
    Row("no uid", changed(uid=""), 400, "uid"),
    Row("ten thousand nested brackets", b"[" * 10_000 + b"]" * 10_000, 400, ""),
    Row("ten thousand nested objects", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, ""),
    Row("an object that is a list", review([1, 2]), 200, '"allowed":false'),
    Row("an object that is a text", review("x"), 200, '"allowed":false'),
    Row("a number of 10^400", GOOD.replace(b'"stageMinScale": 1', b'"stageMinScale": 1' + b"0" * 400), 200, "SPA001"),
    Row("a number in 1e400", GOOD.replace(b'"stageMinScale": 1', b'"stageMinScale": 1e400'), 200, "SPA001"),
    Row("a form", b"a=1", 415, "Content-Type must be application/json", {"Content-Type": "text/plain"}),
    Row("no type", GOOD, 415, "this call names none", {}),
    Row("a long type", GOOD, 415, "'xxxx", {"Content-Type": "x" * 4000}),
    Row("a body of 8 MiB", b" " * (8 * MIB), 413, "larger than 7340032 bytes"),
    Row("a body of 8 MiB of another type", b" " * (8 * MIB), 413, "larger than", {"Content-Type": "text/plain"}),
    Row("a body of 7 MiB", GOOD + b" " * (7 * MIB - len(GOOD)), 200, '"allowed":true'),
    Row("one byte more than 7 MiB", GOOD + b" " * (7 * MIB - len(GOOD) + 1), 413, "larger than"),
    Row("8 MiB in chunks", endless(8), 413, "larger than"),
    Row("GET", None, 405, "by POST, not GET", {}, "/mutate", "GET"),
    Row("PUT", GOOD, 405, "by POST, not PUT", JSON, "/mutate", "PUT"),
    Row("OPTIONS", None, 405, "by POST, not OPTIONS", {}, "/mutate", "OPTIONS"),
    Row("an invented method", GOOD, 400, "", JSON, "/mutate", "G{}T"),
    Row("a long method", None, 400, "", {}, "/mutate", "X" * 300),
    Row("another path", GOOD, 404, "nothing at '/mutate/'", JSON, "/mutate/"),
    Row(
        "a page",
        None,
        404,
        "nothing at '/readyz'; reviews go to POST /mutate, /validate, /knative",
        {},
        "/readyz",
        "GET",
    ),
    Row("a page by POST, 8 MiB", b" " * (8 * MIB), 404, "nothing at", JSON, "/readyz"),
    Row("a path out of the tree", None, 404, "nothing at", {}, "/../../etc/passwd", "GET"),
    Row("a path in percent", None, 404, "nothing at", {}, "/%00%ff", "GET"),
    Row("a query in percent", GOOD, 200, '"allowed":true', JSON, "/validate?%ff"),
    Row("a compressed body", GOOD, 415, "Content-Encoding 'gzip' is not read", JSON | {"Content-Encoding": "gzip"}),
    Row("a long path", None, 414, "", {}, "/" + "x" * 5000, "GET"),
    Row("a long header", None, 431, "", {"X-Long": "x" * 10_000}, "/mutate", "GET"),
    Row("many headers", None, 431, "", {f"X-{n}": "x" for n in range(80)}, "/mutate", "GET"),
    Row("a websocket", None, 404, "", {"Upgrade": "websocket", "Connection": "Upgrade"}, "/x", "GET"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_clear_answer_and_the_next_call_is_served(row: Row, live: Live) -> None:
    reply = live.send(row.method, row.path, row.body, row.headers)
    assert reply.status == row.status
    assert row.says in reply.body.decode()
    assert reply.body.count(b"\n") <= 1
    assert len(reply.body) < 2000
    after = live.post("/validate?timeout=3s", GOOD)
    assert (after.status, json.loads(after.body)["response"]["allowed"]) == (200, True)


USUAL = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
RAW = [
    ("not HTTP", b"\x00\x01\x02\x03\r\n\r\n", b"400"),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    ("two lengths", b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b"400"),
    ("a negative length", b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
    ("a length that is no number", b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"400"),
    (
        "length and chunks",
        b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    (
        "a length and a coding that hides it",
        USUAL + b"Content-Length: 1\r\nTransfer-Encoding: x\r\n\r\n1",
        b"400",
    ),
    ("bare line feeds", b"POST /mutate HTTP/1.1\nHost: x\nContent-Length: 1\n\nx", b"400"),
    ("a folded header", b"POST /mutate HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", b"400"),
    ("an unknown version", b"POST /mutate HTTP/1.7\r\nHost: x\r\n\r\n", b"400"),
    ("a header without an end", b"POST /mutate HTTP/1.1\r\nX: " + b"x" * 300_000, b"431"),
    (
        "chunks of no size",
        USUAL + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"400",
    ),
]


@pytest.mark.parametrize(("sent", "status"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_bytes_that_are_no_request(sent: bytes, status: bytes, live: Live) -> None:
    with live.tls() as connection:
        connection.sendall(sent)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert live.post("/mutate", GOOD).status == 200


def test_plain_http_gets_nothing(live: Live) -> None:
    with socket.create_connection(("localhost", live.port), 10) as plain:
        plain.sendall(USUAL + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD)
        assert b"allowed" not in plain.recv(4096)
    assert live.post("/validate", GOOD).status == 200


def test_calls_in_one_packet_are_answered_in_order(live: Live) -> None:
    head = (
        b"POST /validate?timeout=3s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    calls = [review(spa(), uid=f"uid-{number}") for number in range(20)]
    with live.tls() as connection:
        connection.sendall(b"".join(head % len(call) + call for call in calls))
        answer = b""
        while answer.count(b"HTTP/1.1 200") < 20 or not answer.endswith(b"}"):
            chunk = connection.recv(65536)
            assert chunk, answer
            answer += chunk
    places = [answer.index(b'"uid-%d"' % number) for number in range(20)]
    assert places == sorted(places)


def test_a_client_that_waits_for_100_continue_gets_it(live: Live) -> None:
    with live.tls() as connection:
        connection.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(GOOD)
        )
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(GOOD)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_refused_client_that_waits_for_100_continue_is_spared_the_body(live: Live) -> None:
    with live.tls() as connection:
        connection.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
            b"Content-Length: 8000000\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_refusal_comes_before_the_body(live: Live) -> None:
    with live.tls() as connection:
        connection.sendall(
            b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\nx"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 415")
