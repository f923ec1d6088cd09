"""A server that keeps sending a little: a request ends at its time limit all the same, whatever part is slow."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.api_server import ApiServer, api_server, kubeconfig, trusting
from tests.controlplane.certificates import Authority
from webhook.cluster import connection
from webhook.cluster.errors import Call, OutcomeUnknown
from webhook.cluster.transport import KubernetesTransport, Request

SHORT = Request(Call("get", "/version"), "GET", "/version", {}, 1.0)
HEAD, BODY = b"X-Slow: a", b'\r\n{"a": "x'


@contextmanager
def connected(folder: Path) -> Iterator[tuple[ApiServer, KubernetesTransport]]:
    authority = Authority()
    with api_server(authority, folder) as server:
        path = kubeconfig(folder, trusting(server, authority, folder), {"token": "t"})
        yield server, connection.connect(path, user_agent="t", pool_size=1)


@pytest.mark.parametrize(
    ("drips", "ask"),
    [(HEAD, "send"), (BODY, "send"), (HEAD, "stream")],
    ids=["the head", "the body", "the head of a stream"],
)
def test_a_request_ends_in_time(tmp_path: Path, drips: bytes, ask: str) -> None:
    with connected(tmp_path) as (server, transport):
        server.drips = drips
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"^get /version: no response from https.*timed out"):
            getattr(transport, ask)(SHORT)
        assert time.monotonic() - started < 60, "the server would go on for 40 minutes"


def test_the_limit_of_a_request_is_not_that_of_the_next_one_on_its_connection(tmp_path: Path) -> None:
    with connected(tmp_path) as (server, transport):
        transport.send(SHORT)
        time.sleep(SHORT.timeout)
        assert transport.send(SHORT)["major"] == "1"
        assert transport._pool.num_connections == 1
        server.is_silent = True
        stream = transport.stream(SHORT)
        with pytest.raises(OutcomeUnknown, match="timed out"):
            list(stream)
