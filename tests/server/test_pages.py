"""The pages of a process, and the handler mounted beside them for other WSGI servers."""

from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Gauge

from tests.server.live import JSON, Live
from tests.server.reviews import BAD, GOOD, review, spa
from webhook.admission import EmptyLookup, Settings
from webhook.server.handler import AdmissionHandler
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.pages import Check, make_app


def app(*, health: bool = True, ready: bool = True, admission: bool = False, registry: Any = None) -> Flask:
    metrics = ServerMetrics()
    mounted = (AdmissionHandler(EmptyLookup(), Settings(), metrics), Limits()) if admission else None
    return make_app(
        "A process.",
        lambda: (health, "ok\n" if health else "the thread lease is dead\n"),
        lambda now: (ready, f"{now:%Z}\n"),
        registry or metrics.registry,
        mounted,
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/healthz", 200, "ok"),
        ("HEAD", "/healthz", 200, ""),
        ("GET", "/readyz", 200, "UTC"),
        ("GET", "/metrics", 200, "stagegate_connections 0.0"),
        ("GET", "/", 200, "A process."),
        ("GET", "/version", 200, f'{{"version":"{metadata.version("stagegate")}"}}'),
        ("GET", "/mutate", 404, "nothing at '/mutate'; GET / names the pages"),
        ("POST", "/validate", 404, "nothing at '/validate'"),
        ("GET", "/%00%ff", 404, "nothing at"),
        ("DELETE", "/metrics", 405, "/metrics is read by GET, not DELETE"),
    ],
)
def test_pages(method: str, path: str, status: int, says: str) -> None:
    reply = app().test_client().open(path, method=method)
    assert reply.status_code == status
    assert says in reply.text


def test_control_characters_are_made_visible() -> None:
    """In the text of a check, which may quote an API server, and in what the request itself says."""
    bad, odd = (False, "x\x1b[31m\n"), (False, "y\u202e\n")
    client = make_app("A process.", lambda: bad, lambda now: odd, CollectorRegistry()).test_client()
    assert client.get("/healthz").text == "x\\x1b[31m\n"
    assert client.get("/readyz").text == "y\\u202e\n"
    assert client.open("/metrics", method="A\x1bB").text == "/metrics is read by GET, not A\\x1bB\n"


def test_a_page_says_no_with_503() -> None:
    client = app(health=False, ready=False).test_client()
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (503, "the thread lease is dead\n")
    assert client.get("/readyz").status_code == 503


def test_a_collector_that_fails_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> float:
        raise ZeroDivisionError("counted by nothing")

    registry = CollectorRegistry()
    Gauge("broken", "Fails.", registry=registry).set_function(fails)
    reply = app(registry=registry).test_client().get("/metrics")
    assert (reply.status_code, reply.text) == (500, "the page failed; the log of the process says why\n")
    assert "ZeroDivisionError: counted by nothing" in caplog.text


# The handler in another WSGI server

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
    "compressed": ("POST", "/mutate", GOOD, JSON | {"Content-Encoding": "gzip"}),
    "too large": ("POST", "/mutate", b" " * (7 * 1024 * 1024 + 1), JSON),
    "another method": ("PUT", "/validate", GOOD, JSON),
    "options": ("OPTIONS", "/validate", None, {}),
}


@pytest.fixture
def mounted() -> FlaskClient:
    return app(admission=True).test_client()


@pytest.mark.parametrize("name", CALLS)
def test_mounted_it_answers_the_same_bytes_as_the_server(name: str, mounted: FlaskClient, live: Live) -> None:
    method, path, body, headers = CALLS[name]
    direct = mounted.open(path, method=method, data=body, headers=headers)
    over_tls = live.send(method, path, body, headers)
    assert (direct.status_code, direct.content_type, direct.headers.get("Allow"), direct.data) == (
        over_tls.status,
        over_tls.headers["content-type"],
        over_tls.headers.get("allow"),
        over_tls.body,
    )


def test_mounted_it_bounds_a_body_without_a_length(mounted: FlaskClient) -> None:
    environ: dict[str, Any] = {"wsgi.input": Endless(), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert mounted.post("/mutate", headers=JSON, environ_overrides=environ).status_code == 413


class Endless:
    """A body that never ends; reading beyond the limit fails the test."""

    def __init__(self) -> None:
        self.left = 16 * 1024 * 1024

    def read(self, size: int = -1) -> bytes:
        assert 0 < size <= self.left
        self.left -= size
        return b"x" * size


def test_readiness_is_asked_with_the_time() -> None:
    seen: list[datetime] = []

    def ready(now: datetime) -> Check:
        seen.append(now)
        return (True, "")

    make_app("", lambda: (True, ""), ready, CollectorRegistry()).test_client().get("/readyz")
    assert seen[0].tzinfo is UTC
