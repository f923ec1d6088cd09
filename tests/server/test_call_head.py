"""What the head of a call decides, as a table."""

import pytest

from webhook.server.call_head import refuse_head, unknown_path

LIMIT = 100


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
def test_refuse_head(method: str, content_type: str, length: int | None, status: int | None) -> None:
    refusal = refuse_head(method, "/mutate", content_type, length, LIMIT)
    assert (refusal.status if refusal else None) == status


def test_a_refusal_is_one_line_and_names_the_way_out() -> None:
    refusal = refuse_head("DELETE", "/mutate", "", None, LIMIT)
    assert refusal is not None
    assert refusal.body == b"/mutate takes an AdmissionReview by POST, not DELETE\n"
    assert refusal.allow == "POST"


@pytest.mark.parametrize("text", ["x" * 5000, "a\r\nb", "\x1b[31m", "ü\ud800"])
def test_what_a_client_sent_is_quoted_short_and_safe(text: str) -> None:
    refused = refuse_head("POST", "/mutate", text, 1, LIMIT)
    assert refused is not None
    for refusal in (refused, unknown_path(text)):
        assert len(refusal.body) < 400
        assert refusal.body.count(b"\n") == 1
        assert b"\r" not in refusal.body
        assert b"\x1b" not in refusal.body
