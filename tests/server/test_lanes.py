"""Both lanes give the same bytes: the Flask app under a WSGI client, and the short lane over TLS."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.server.live import JSON, Live
from tests.server.reviews import BAD, GOOD, review, spa
from webhook.admission import EmptyLookup, Settings
from webhook.server.gate import Gate
from webhook.server.limits import Limits
from webhook.server.pages import make_app
from webhook.server.state import State
from webhook.server.tally import Tally

NOT_AFTER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def flask(tally: Tally) -> FlaskClient:
    gate = Gate(EmptyLookup(), Settings(), tally)
    return make_app(gate, Limits(), lambda: State(NOT_AFTER, standalone=True)).test_client()


CALLS: dict[str, tuple[str, str, bytes | None, dict[str, str]]] = {
    "allowed": ("POST", "/validate?timeout=3s", GOOD, JSON),
    "denied": ("POST", "/validate?timeout=3s", BAD, JSON),
    "filled": ("POST", "/mutate?timeout=3s", review(spa() | {"metadata": {"name": "x", "namespace": "y"}}), JSON),
    "not ASCII": ("POST", "/validate", review(spa("schön")), JSON),
    "no review": ("POST", "/mutate", b"{}", JSON),
    "no JSON": ("POST", "/mutate", b"{", JSON),
    "no body": ("POST", "/mutate", b"", JSON),
    "another type": ("POST", "/mutate", GOOD, {"Content-Type": "text/plain"}),
    "no type": ("POST", "/mutate", GOOD, {}),
    "too large": ("POST", "/mutate", b" " * (7 * 1024 * 1024 + 1), JSON),
    "another method": ("PUT", "/validate", GOOD, JSON),
    "options": ("OPTIONS", "/validate", None, {}),
    "no such path": ("GET", "/mutate/x", None, {}),
    "front page": ("GET", "/", None, {}),
    "health": ("GET", "/healthz", None, {}),
    "head": ("HEAD", "/healthz", None, {}),
    "a page by another method": ("DELETE", "/metrics", None, {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_same_bytes(name: str, flask: FlaskClient, live: Live) -> None:
    method, path, body, headers = CALLS[name]
    direct = flask.open(path, method=method, data=body, headers=headers)
    over_tls = live.send(method, path, body, headers)
    assert (direct.status_code, direct.content_type, direct.headers.get("Allow"), direct.data) == (
        over_tls.status,
        over_tls.headers["content-type"],
        over_tls.headers.get("allow"),
        over_tls.body,
    )


@pytest.mark.parametrize("name", ["allowed", "denied", "filled", "not ASCII", "no review", "no JSON"])
def test_a_call_in_chunks_or_with_a_large_body_gets_the_same_bytes(name: str, live: Live) -> None:
    """Such calls are read by other code than the usual ones."""
    method, path, body, headers = CALLS[name]
    assert body is not None
    usual = live.send(method, path, body, headers)
    chunked = live.send(method, path, iter([body[:1], body[1:]]), headers)
    large = live.send(method, path, body + b" " * 100_000, headers)
    one_zero = live.send(method, path, body, headers | {"Connection": "close"})
    assert chunked[:1] + chunked[2:] == large[:1] + large[2:] == one_zero[:1] + one_zero[2:] == usual[:1] + usual[2:]
    assert chunked.headers.keys() == usual.headers.keys()
    assert chunked.headers["content-type"] == usual.headers["content-type"]


def test_the_app_bounds_a_body_without_a_length(flask: FlaskClient) -> None:
    environ: dict[str, Any] = {"wsgi.input": Endless(), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    reply = flask.post("/mutate", headers=JSON, environ_overrides=environ)
    assert reply.status_code == 413


class Endless:
    """A body that never ends; reading beyond the limit fails the test."""

    def __init__(self) -> None:
        self.left = 16 * 1024 * 1024

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= self.left
        self.left -= size
        return b"x" * size


def test_readiness_by_the_app(tally: Tally) -> None:
    gate = Gate(EmptyLookup(), Settings(), tally)
    client = make_app(gate, Limits(), lambda: State(NOT_AFTER, unsynced="ros not read yet")).test_client()
    assert client.get("/readyz").status_code == 503


def test_a_refused_call_is_counted(flask: FlaskClient, tally: Tally) -> None:
    flask.post("/mutate", data=b"x", headers={"Content-Type": "text/plain"})
    flask.get("/nowhere")
    assert (tally.refused[415], tally.refused[404]) == (1, 1)


def test_the_front_page_tells_the_mode(tally: Tally) -> None:
    gate = Gate(EmptyLookup(), Settings(enforce="warn"), tally)
    page = make_app(gate, Limits(), State).test_client().get("/").text
    assert "only warn" in page
    assert "/readyz" in page
