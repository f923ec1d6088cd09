"""Each law of connections, with a server that breaks it."""

import functools
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.fuzz import seeds
from tests.fuzz.answered_reviews import Broken
from tests.fuzz.streams import EVENTS, HONEST, Input, Streams
from webhook.server.body import Body
from webhook.server.large_bodies import LargeBodies
from webhook.server.pending_responses import PendingResponses
from webhook.server.protocol import Connection
from webhook.server.tls import Tls


@pytest.fixture
def streams() -> Iterator[Streams]:
    with closing(Streams()) as played:
        yield played


def twice(function: Callable[..., Any]) -> Callable[..., None]:
    @functools.wraps(function)
    def again(*arguments: Any, **options: Any) -> None:
        function(*arguments, **options)
        function(*arguments, **options)

    return again


def raises(*_: object, **__: object) -> None:
    raise KeyError("spec")


def nothing(*_: object, **__: object) -> None:
    """Instead of a method that does something."""


DRAIN = seeds.event(len(EVENTS) - 1)
LATE = Input(bytes([150, 150, DRAIN]), [HONEST.replace(b"/validate", b"/knative") + b"NOT HTTP\r\n\r\n"]).together()
"""An answer that is owed when the server begins to drain, and what is no request behind it."""


CROWDED = seeds.crowded()
"""Clients that wait for the memory of others."""
TLS = Input(b"", [HONEST], speaks_tls=True).together()
TLS_CROWDED = seeds.crowded(speaks_tls=True)

release = LargeBodies.release
add = Body.add


def adds_another(body: Body, part: bytes, *, discard: bool) -> None:
    add(body, b"y" * len(part), discard=discard)


def forgets_who_waits(bodies: LargeBodies, reader: Any) -> None:
    waiting = dict(bodies._waiting)
    bodies._waiting.clear()
    release(bodies, reader)
    bodies._waiting.update(waiting)


def holds_a_byte(bodies: LargeBodies, reader: Any) -> None:
    release(bodies, reader)
    bodies._taken += 1


def releases_twice(bodies: LargeBodies, reader: Any) -> None:
    bodies._taken -= bodies._sizes.get(reader, 0)
    release(bodies, reader)


def test_streams_that_take_long_are_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.streams.MOST_SECONDS", 0.0)
    with closing(Streams()) as streams, pytest.raises(Broken, match="streams are read in bounded time"):
        streams.check(CROWDED)


@pytest.mark.parametrize(
    ("broken", "data", "law"),
    [
        ((Connection, "_respond", twice), b"\0" + 2 * b"GET / HTTP/1.1\r\n\r\n", "a request gets at most one response"),
        ((Connection, "_respond", lambda _: raises), b"\0GET / HTTP/1.1\r\n\r\n", "an exception was caught"),
        ((Connection, "expire", lambda _: nothing), b"\0", "a connection ends at its deadlines"),
        ((Connection, "_settle", lambda _: nothing), LATE, "a connection has a deadline"),
        ((Connection, "connection_lost", lambda _: nothing), b"\0", "a lost connection is forgotten"),
        ((Connection, "resume_body", lambda _: nothing), CROWDED, "who need not wait is read"),
        ((Connection, "pause_body", lambda _: nothing), CROWDED, "a body waits for a second at most"),
        ((Connection, "is_waiting", lambda _: property(lambda one: False)), CROWDED, "who need not wait is read"),
        # Clients that speak TLS.
        ((Tls, "resume_reading", lambda _: nothing), TLS_CROWDED, "who need not wait is read"),
        ((Tls, "_go_on", lambda _: nothing), TLS_CROWDED, "who need not wait is read"),
        (
            (Tls, "abort", lambda _: nothing),
            Input(b"", [HONEST[:-1]], True).together(),
            "a connection ends at its deadlines",
        ),
        ((Tls, "connection_lost", lambda _: nothing), TLS, "a lost connection is forgotten"),
        ((Tls, "write", twice), TLS, "responses are in the order of their requests"),
        ((Tls, "write", lambda _: nothing), TLS, "the pieces change no answer"),
    ],
)
def test_a_law_of_streams(
    broken: tuple[type, str, Callable[..., Any]],
    data: bytes,
    law: str,
    streams: Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner, name, change = broken
    streams.check(data)
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    with pytest.raises(AssertionError, match=law):
        streams.check(data)


@pytest.mark.parametrize(
    ("broken", "data", "law"),
    [
        ((Body, "end", nothing), b"\0" + HONEST[:-1], "where bodies wait, one is read on"),
        ((Body, "add", adds_another), b"\0" + HONEST, "only whole requests are judged"),
        ((LargeBodies, "release", forgets_who_waits), CROWDED, "where bodies wait, one is read on"),
        ((LargeBodies, "release", holds_a_byte), b"\0" + HONEST, "the memory of those that are gone is free"),
        ((LargeBodies, "release", releases_twice), b"\0" + HONEST[:-1], "nothing is freed that was not held"),
    ],
)
def test_a_law_of_several_clients(
    broken: tuple[type, str, Callable[..., Any]],
    data: bytes,
    law: str,
    streams: Streams,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    streams.check(data)
    monkeypatch.setattr(*broken)
    with pytest.raises(Broken, match=law):
        streams.check(data)


def test_what_follows_a_last_response_is_a_find(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    streams.check(LATE)
    monkeypatch.setattr(PendingResponses, "clear", nothing)
    with pytest.raises(AssertionError, match="nothing follows a last response"):
        streams.check(LATE)
