"""Refusals of requests that cannot be read."""

from typing import Final

from webhook.server.eviction import Stage
from webhook.server.head import Refusal
from webhook.server.limits import Limits

_PIECE: Final = 64 * 1024
_FEW: Final = 64


def too_slow(stage: Stage, limits: Limits) -> Refusal | None:
    """The head or the body was not there in time."""
    if stage == "header":
        return Refusal(408, f"the head of the request took longer than {limits.header_seconds:g} seconds")
    if stage == "body":
        return Refusal(408, f"the body of the request took longer than {limits.body_seconds:g} seconds")
    return None


def stalled(seconds: float) -> Refusal:
    """A large body does not go on, and others need its memory."""
    return Refusal(408, f"the body of the request has stalled for {seconds:g} s, and other reviews need its memory")


def unreadable(error: Exception) -> Refusal:
    """The parser failed on what was sent."""
    reason = str(error).splitlines()[0][:128] if str(error) else type(error).__name__
    return Refusal(400, f"not an HTTP/1.1 request: {reason}")


def too_many_values(body: bytes, most: int) -> Refusal | None:
    """The refusal of JSON with more than so many values: each takes up to 200 bytes of memory once it is parsed.

    Braces, brackets and commas are counted, also those in texts; no object of an API server has nearly as many.
    """
    if len(body) <= most:
        return None
    # Each piece is in the processor's cache when the second mark is counted.
    pieces = range(0, len(body), _PIECE)
    values = sum(_count(body, mark, start, start + _PIECE) for start in pieces for mark in (b",", b"{", b"["))
    return Refusal(413, f"the body has more than {most} values") if values > most else None


def _count(body: bytes, mark: bytes, start: int, end: int) -> int:
    """As ``body.count(mark, start, end)``, which is slower by far where there are few."""
    found, at = 0, body.find(mark, start, end)
    while at >= 0 and found < _FEW:
        found, at = found + 1, body.find(mark, at + 1, end)
    return found if at < 0 else found + body.count(mark, at, end)
