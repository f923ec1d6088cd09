"""The transport: what a broken connection and a stream of bytes become."""

import contextlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3.exceptions as broken

from webhook.cluster.credentials import CredentialsFailed, Identity
from webhook.cluster.errors import ApiError, Call, Forbidden, NoCredentials, OutcomeUnknown, Unreachable
from webhook.cluster.pool import BEFORE_SENDING
from webhook.cluster.transport import KubernetesTransport, Request

CALL = Call("watch", "pods")
REQUEST = Request(CALL, "GET", "/api/v1/pods", {"watch": "true"}, 5.0)


NO_CONNECTION = (broken.NewConnectionError, broken.ConnectTimeoutError, broken.ProxyError, broken.MaxRetryError)
"""What the pool raises before anything is sent."""


class FakeResponse:
    """An HTTP answer, whole or in pieces; an exception among the pieces is raised."""

    def __init__(self, *pieces: bytes | Exception, status: int = 200, chunked: bool = True) -> None:
        self.pieces = list(pieces)
        self.status = status
        self.headers: dict[str, str] = {}
        self.chunked = chunked
        self.closed = False
        self.is_shut = False

    def read(self, most: int | None = None) -> bytes:
        return b"".join(piece for piece in self.pieces if isinstance(piece, bytes))[:most]

    def release_conn(self) -> None:
        self.closed = True

    def read_chunked(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def read1(self, _size: int) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def shutdown(self) -> None:
        self.is_shut = True

    def close(self) -> None:
        self.closed = True


class Pool:
    """Connections to one host: takes requests down, and gives one answer to all of them."""

    def __init__(self, answer: FakeResponse | Exception, scheme: str, proxy: str | None) -> None:
        self.answer = answer
        self.scheme = scheme
        self.proxy = proxy
        self.calls: list[tuple[str, str, dict[str, Any]]] = []

    def urlopen(self, method: str, url: str, **rest: Any) -> FakeResponse:
        self.calls.append((method, url, rest))
        if not isinstance(self.answer, NO_CONNECTION):
            BEFORE_SENDING.get()()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class ApiClient:
    """What the transport uses of the official client: where to, and the pool."""

    def __init__(
        self, answer: FakeResponse | Exception, host: str = "https://one:6443", proxy: str | None = None
    ) -> None:
        self.configuration = SimpleNamespace(host=host)
        self.default_headers = {"User-Agent": "stagegate"}
        self.rest_client = SimpleNamespace(pool_manager=self)
        self.pool = Pool(answer, host.partition(":")[0], proxy)

    def connection_from_url(self, url: str) -> Pool:
        assert url == self.configuration.host
        return self.pool


class Account:
    """Credentials that are what a test says; a failure among them is raised. Remembers what the server refused."""

    def __init__(self, *tokens: str | CredentialsFailed) -> None:
        self.tokens = list(tokens)
        self.refused: list[str] = []

    def current(self) -> Identity:
        token = self.tokens.pop(0) if self.tokens else ""
        if isinstance(token, CredentialsFailed):
            raise token
        return Identity(token)

    def refuse(self, identity: Identity) -> None:
        self.refused.append(identity.authorization)


def transport(answer: FakeResponse | Exception) -> KubernetesTransport:
    return KubernetesTransport(ApiClient(answer), Account())


def test_an_answer_is_its_json_and_an_empty_one_is_an_empty_object() -> None:
    assert transport(FakeResponse(b'{"a":1}')).send(REQUEST) == {"a": 1}
    assert transport(FakeResponse()).send(REQUEST) == {}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (FakeResponse(b'{"kind":"Status","message":"no"}', status=403), Forbidden),
        (FakeResponse(b"<html>"), OutcomeUnknown),
        (FakeResponse(b"[" * 100_000), OutcomeUnknown),
        (broken.NewConnectionError(None, "refused"), Unreachable),  # type: ignore[arg-type]
        (broken.ConnectTimeoutError("slow"), Unreachable),
        (broken.ProxyError("no tunnel", OSError("407")), Unreachable),
        (broken.MaxRetryError(None, "/", broken.SSLError("bad")), Unreachable),  # type: ignore[arg-type]
        (broken.ReadTimeoutError(None, "/", "slow"), OutcomeUnknown),  # type: ignore[arg-type]
        (broken.ProtocolError("reset"), OutcomeUnknown),
        (broken.SSLError("bad record"), OutcomeUnknown),
    ],
)
def test_an_error_says_whether_anything_can_have_been_stored(
    answer: FakeResponse | Exception, kind: type[ApiError]
) -> None:
    with pytest.raises(ApiError) as raised:
        transport(answer).send(REQUEST)
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("host", "proxy", "url"),
    [
        ("https://one:6443", None, "/api/v1/pods?watch=true"),
        ("https://one/clusters/a/", None, "/clusters/a/api/v1/pods?watch=true"),
        ("https://one:6443", "http://proxy", "/api/v1/pods?watch=true"),
        ("http://one:8001", None, "/api/v1/pods?watch=true"),
        ("http://one:8001", "http://proxy", "http://one:8001/api/v1/pods?watch=true"),
    ],
)
def test_a_host_may_lie_under_a_path_and_behind_a_proxy(host: str, proxy: str | None, url: str) -> None:
    client = ApiClient(FakeResponse(b"{}"), host, proxy=proxy)
    KubernetesTransport(client, Account()).send(REQUEST)
    assert client.pool.calls[0][:2] == ("GET", url)


def test_each_request_carries_the_token_of_the_moment_and_is_sent_once() -> None:
    client = ApiClient(FakeResponse(b"{}"))
    sender = KubernetesTransport(client, Account("Bearer first", "Bearer second"))
    sender.send(REQUEST)
    sender.send(REQUEST)
    assert [rest["headers"]["authorization"] for _, _, rest in client.pool.calls] == ["Bearer first", "Bearer second"]
    assert all(rest["headers"]["User-Agent"] == "stagegate" for _, _, rest in client.pool.calls)
    assert all(rest["retries"] is False and rest["redirect"] is False for _, _, rest in client.pool.calls)


def test_without_credentials_nothing_is_sent() -> None:
    client = ApiClient(FakeResponse(b"{}"))
    sender = KubernetesTransport(client, Account(CredentialsFailed("credential plugin p failed: log in first")))
    with pytest.raises(NoCredentials, match=r"^watch pods: credential plugin p failed: log in first$"):
        sender.send(REQUEST)
    assert client.pool.calls == []


@pytest.mark.parametrize(("status", "refused"), [(200, []), (403, []), (401, ["Bearer old"])])
def test_credentials_that_the_server_refuses_are_reported(status: int, refused: list[str]) -> None:
    account = Account("Bearer old")
    sender = KubernetesTransport(ApiClient(FakeResponse(b"{}", status=status)), account)
    with contextlib.suppress(ApiError):
        sender.send(REQUEST)
    assert account.refused == refused


def test_a_response_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cluster.transport._MAX_RESPONSE", 7)
    assert transport(FakeResponse(b'{"a":1}')).send(REQUEST) == {"a": 1}
    with pytest.raises(OutcomeUnknown, match="a response of more than 7 bytes"):
        transport(FakeResponse(b'{"a":12}')).send(REQUEST)


def test_headers_of_one_name_are_all_sent() -> None:
    client = ApiClient(FakeResponse(b"{}"))
    KubernetesTransport(client, Account(), [("Impersonate-Group", "a"), ("Impersonate-Group", "b,c")]).send(REQUEST)
    headers = client.pool.calls[0][2]["headers"]
    assert [value for name, value in headers.items() if name == "Impersonate-Group"] == ["a", "b,c"]


LINES = [{"type": "ADDED", "object": {"metadata": {"name": name}}} for name in ("a", "ü", "c")]
BYTES = b"\n".join(json.dumps(line, ensure_ascii=False).encode() for line in LINES) + b"\n"


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_is_cut_at_line_ends_wherever_its_bytes_are_cut(size: int, chunked: bool) -> None:
    pieces = [BYTES[start : start + size] for start in range(0, len(BYTES), size)]
    answer = FakeResponse(*pieces, chunked=chunked)
    assert list(transport(answer).stream(REQUEST)) == LINES
    assert answer.closed


def test_a_stream_that_breaks_says_what_came_before() -> None:
    stream = transport(FakeResponse(BYTES, broken.ReadTimeoutError(None, "/", "silent"))).stream(REQUEST)  # type: ignore[arg-type]
    seen = []

    def listen() -> None:
        for event in stream:
            seen.append(event)  # noqa: PERF402

    with pytest.raises(OutcomeUnknown):
        listen()
    assert seen == LINES


def test_a_stream_that_is_refused_is_an_error_at_once() -> None:
    with pytest.raises(Forbidden):
        transport(FakeResponse(b'{"message":"no"}', status=403)).stream(REQUEST)


@pytest.mark.parametrize("line", [b"{broken\n", b"<html>Sign in</html>", b'{"type":"ADDED"', b"[" * 100_000 + b"\n"])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_line_that_is_not_json_is_an_error(line: bytes, chunked: bool) -> None:
    with pytest.raises(OutcomeUnknown, match="a line that is not JSON"):
        list(transport(FakeResponse(line, chunked=chunked)).stream(REQUEST))


def test_close_wakes_the_reader() -> None:
    answer = FakeResponse(BYTES)
    transport(answer).stream(REQUEST).close()
    assert answer.is_shut


def test_a_body_carries_its_content_type_and_a_stream_its_time_out_for_silence() -> None:
    client = ApiClient(FakeResponse(b"{}"))
    write = Request(CALL, "PATCH", "/p", {}, 3.0, {"a": "ü"}, "application/merge-patch+json")
    KubernetesTransport(client, Account()).send(write)
    method, url, rest = client.pool.calls[0]
    assert (method, url, json.loads(rest["body"])) == ("PATCH", "/p", {"a": "ü"})
    assert rest["timeout"].total == 3.0
    assert rest["headers"]["Content-Type"] == "application/merge-patch+json"
    KubernetesTransport(client, Account()).stream(REQUEST)
    _, _, rest = client.pool.calls[1]
    assert (rest["timeout"].connect_timeout, rest["timeout"].read_timeout) == (5.0, 5.0)
    assert rest["body"] is None
    assert "Content-Type" not in rest["headers"]
