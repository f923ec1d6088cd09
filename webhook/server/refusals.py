"""Refusals of requests that cannot be read."""

from webhook.server.eviction import Stage
from webhook.server.head import Refusal
from webhook.server.limits import Limits


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
