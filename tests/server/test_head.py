"""What the head of a call decides, as a table."""

import pytest

from webhook.server.head import Head, read_head, refuse, response, unknown_path

LIMIT = 100


def test_a_head_is_read_from_what_the_parser_found() -> None:
    named = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"12"),
        (b"content-encoding", b"gzip"),
        (b"expect", b"100-Continue"),
        (b"content-type", b"application/json; charset=\xfc"),
    ]
    assert read_head(b"POST", b"/mutate?timeout=3s", named) == Head(
        method="POST",
        path="/mutate",
        content_type="application/json; charset=\xfc",
        content_length=12,
        content_encoding="gzip",
        expects_continue=True,
        query=b"timeout=3s",
    )
    assert read_head(b"GET", b"/\xff", [(b"host", b"x")]) == Head("GET", "/\xff")


@pytest.mark.parametrize(
    ("method", "content_type", "length", "status"),
    [
        ("POST", "application/json", 100, None),
        ("POST", "application/json", None, None),
        ("POST", "Application/JSON; charset=utf-8", 1, None),
        ("POST", "application/json", 101, 413),
        ("POST", "text/plain", 101, 413),
        ("POST", "text/plain", 1, 415),
        ("POST", "application/json-patch+json", 1, 415),
        ("POST", "", 1, 415),
        ("GET", "application/json", 1, 405),
        ("GET", "", None, 405),
    ],
)
def test_refuse(method: str, content_type: str, length: int | None, status: int | None) -> None:
    refusal = refuse(Head(method, "/mutate", content_type, length), LIMIT)
    assert (refusal.status if refusal else None) == status


def test_a_refusal_is_one_line_and_names_the_way_out() -> None:
    refusal = refuse(Head("DELETE", "/mutate"), LIMIT)
    assert refusal is not None
    assert refusal.body == b"/mutate takes an AdmissionReview by POST, not DELETE\n"
    assert refusal.allow == "POST"


@pytest.mark.parametrize("text", ["x" * 5000, "a\r\nb", "\x1b[31m", "ü\ud800"])
def test_what_a_client_sent_is_quoted_short_and_safe(text: str) -> None:
    refused = refuse(Head("POST", "/mutate", text, 1), LIMIT)
    assert refused is not None
    for refusal in (refused, unknown_path(text)):
        assert len(refusal.body) < 400
        assert refusal.body.count(b"\n") == 1
        assert b"\r" not in refusal.body
        assert b"\x1b" not in refusal.body


def test_another_path_is_refused_whatever_its_method() -> None:
    for method in ("GET", "POST", "DELETE"):
        refusal = refuse(Head(method, "/readyz", "application/json", 1), LIMIT)
        assert refusal is not None
        assert refusal.line == "nothing at '/readyz'; reviews go to POST /mutate, /validate, /knative"


@pytest.mark.parametrize(("coding", "status"), [("", None), ("identity", None), ("gzip", 415), ("br, gzip", 415)])
def test_a_compressed_body_is_not_read(coding: str, status: int | None) -> None:
    refusal = refuse(Head("POST", "/mutate", "application/json", 1, coding), LIMIT)
    assert (refusal.status if refusal else None) == status


@pytest.mark.parametrize(
    ("codings", "status"),
    [
        ([b"chunked"], None),
        ([b" Chunked "], None),
        ([b"gzip, chunked"], 501),
        ([b"gzip", b"chunked"], 501),
        ([b"chunked", b"chunked"], 501),
    ],
)
def test_a_body_in_another_transfer_coding_is_not_read(codings: list[bytes], status: int | None) -> None:
    headers = [(b"content-type", b"application/json"), *((b"transfer-encoding", coding) for coding in codings)]
    refusal = refuse(read_head(b"POST", b"/mutate", headers), LIMIT)
    assert (refusal.status if refusal else None) == status


def test_a_response_as_bytes() -> None:
    assert response(405, "text/plain", b"no\n", b"Thu, 01 Jan 2026 00:00:00 GMT", allow="POST", close=True) == (
        b"HTTP/1.1 405 Method Not Allowed\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n"
        b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\nAllow: POST\r\nConnection: close\r\n\r\nno\n"
    )
