"""The head of a request, the decision whether to read its body, and the head of a response."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple

from webhook.text import visible

KNATIVE_PATH: Final = "/knative"
OWN_PATHS: Final = ("/mutate", "/validate")
"""The paths for objects of Stagegate; they are answered at once."""
ADMISSION_PATHS: Final = (*OWN_PATHS, KNATIVE_PATH)
REVIEW_TYPE: Final = "application/json"
LINE_TYPE: Final = "text/plain; charset=utf-8"


CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Head(NamedTuple):
    """``path`` has no query. ``content_length`` is in bytes, None if the request has none."""

    method: str
    path: str
    content_type: str = ""
    content_length: int | None = None
    content_encoding: str = ""
    expects_continue: bool = False
    transfer_coding: str = ""
    query: bytes = b""


UNREAD: Final = Head("", "")


def read_head(method: bytes, target: bytes, headers: Collection[tuple[bytes, bytes]]) -> Head:
    """Read a head. Names are in lower case; the last of equal names counts, of Transfer-Encoding all.

    Content-Length is a number.
    """
    values = dict(headers)
    length = values.get(b"content-length")
    return Head(
        method.decode(),
        target.partition(b"?")[0].decode("latin-1"),
        values.get(b"content-type", b"").decode("latin-1"),
        None if length is None else int(length),
        values.get(b"content-encoding", b"").decode("latin-1"),
        values.get(b"expect", b"").lower() == b"100-continue",
        _joined(b"transfer-encoding", headers) if b"transfer-encoding" in values else "",
        target.partition(b"?")[2],
    )


def _joined(name: bytes, headers: Iterable[tuple[bytes, bytes]]) -> str:
    return ", ".join(value.decode("latin-1") for key, value in headers if key == name)


class Refusal(NamedTuple):
    """An HTTP status, one line for a person, and the methods to name in ``Allow`` (405 only)."""

    status: int
    line: str
    allow: str = ""

    @property
    def body(self) -> bytes:
        return f"{visible(self.line)}\n".encode()


def refuse(head: Head, limit: int) -> Refusal | None:
    """Why the body of this request is not read; None when it is. ``limit`` is the largest body in bytes."""
    if head.path not in ADMISSION_PATHS:
        return unknown_path(head.path)
    if head.method != "POST":
        return Refusal(405, f"{head.path} takes an AdmissionReview by POST, not {head.method[:16]}", "POST")
    if head.content_length is not None and head.content_length > limit:
        return too_large(limit)
    if head.transfer_coding and head.transfer_coding.strip().lower() != "chunked":
        return Refusal(501, f"Transfer-Encoding {head.transfer_coding[:64]!r} is not read, only chunked")
    if head.content_encoding and head.content_encoding.strip().lower() not in ("", "identity"):
        return Refusal(415, f"Content-Encoding {head.content_encoding[:64]!r} is not read; send the body as it is")
    if head.content_type.partition(";")[0].strip().lower() != REVIEW_TYPE:
        seen = f"not {head.content_type[:64]!r}" if head.content_type else "and this call names none"
        return Refusal(415, f"Content-Type must be {REVIEW_TYPE}, {seen}")
    return None


def too_large(limit: int) -> Refusal:
    """The body is longer than ``limit`` bytes, as announced or as received."""
    return Refusal(413, f"the body is larger than {limit} bytes, the most that is read")


def unknown_path(path: str) -> Refusal:
    """Nothing is served at this path."""
    return Refusal(404, f"nothing at {path[:128]!r}; reviews go to POST {', '.join(ADMISSION_PATHS)}")


@lru_cache(maxsize=64)
def _start(status: int, content_type: str) -> bytes:
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\ncontent-length: ".encode()


def response(
    status: int,
    content_type: str,
    body: bytes,
    date: bytes,
    *,
    allow: str = "",
    close: bool = False,
    bare: bool = False,
) -> bytes:
    """A whole HTTP/1.1 response. ``bare`` leaves the body out, as the answer to HEAD has to."""
    more = b"Allow: %s\r\n" % allow.encode() if allow else b""
    if close:
        more += b"Connection: close\r\n"
    shown = b"" if bare else body
    return b"%s%d\r\ndate: %s\r\n%s\r\n%s" % (_start(status, content_type), len(body), date, more, shown)
