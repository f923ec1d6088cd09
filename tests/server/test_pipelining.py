"""Calls in any cut: however their bytes arrive, the answers are the same, in order, and the connection stays good."""

import ssl

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.live import Live, eventually
from tests.server.reviews import BAD, GOOD, review, spa

HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def usual(path: bytes, body: bytes, content_type: bytes = b"application/json") -> bytes:
    return HEAD % (path, content_type, len(body)) + body


CALLS = {
    "good": (usual(b"/validate?timeout=3s", GOOD), 200),
    "bad": (usual(b"/mutate", BAD), 200),
    "no review": (usual(b"/mutate", b"{}"), 400),
    "typed at length": (usual(b"/validate", GOOD, b"application/json; charset=utf-8"), 200),
    "other type": (usual(b"/validate", GOOD, b"text/plain"), 415),
    "chunked": (CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD), 200),
    "options": (b"OPTIONS /mutate HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "no page": (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "another uid": (usual(b"/validate", review(spa(), uid="second")), 200),
}


def read_answer(connection: ssl.SSLSocket, buffer: bytearray) -> tuple[int, bytes]:
    while b"\r\n\r\n" not in buffer:
        more = connection.recv(65536)
        assert more, bytes(buffer)
        buffer += more
    head, _, _ = bytes(buffer).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    whole = len(head) + 4 + length
    while len(buffer) < whole:
        more = connection.recv(65536)
        assert more, bytes(buffer)
        buffer += more
    body = bytes(buffer[len(head) + 4 : whole])
    del buffer[:whole]
    return int(head.split()[1]), body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=5),
    st.lists(st.integers(1, 3000), max_size=12),
)
def test_any_mix_of_calls_in_any_cut_is_answered_in_order(live: Live, names: list[str], cuts: list[int]) -> None:
    stream = b"".join(CALLS[name][0] for name in names)
    with live.tls() as connection:
        for cut in cuts:
            connection.sendall(stream[:cut])
            stream = stream[cut:]
            if not stream:
                break
        connection.sendall(stream)
        buffer = bytearray()
        answers = [read_answer(connection, buffer) for _ in names]
    assert [status for status, _ in answers] == [CALLS[name][1] for name in names]
    assert buffer == b""


def test_every_call_is_counted_once(live: Live) -> None:
    sample = (
        "stagegate_admission_reviews_total"
        '{kind="StagePodAutoscaler",operation="CREATE",path="/validate",verdict="denied"}'
    )
    before = live.metric(sample)
    with live.tls() as connection:
        buffer = bytearray()
        for _ in range(3):
            connection.sendall(usual(b"/validate", BAD))
            assert read_answer(connection, buffer)[0] == 200
    assert live.metric(sample) == before + 3
    assert live.metric("stagegate_admission_in_flight") == 0


def test_a_client_that_leaves_in_the_middle_is_forgotten(live: Live) -> None:
    with live.tls() as connection:
        connection.sendall(usual(b"/validate", GOOD)[:-5])
        eventually(lambda: live.metric("stagegate_admission_in_flight") == 1, "the call is under way")
    eventually(lambda: live.metric("stagegate_admission_in_flight") == 0, "the call is forgotten")
