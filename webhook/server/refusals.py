"""Refusals of requests that cannot be read."""

from webhook.server.head import Refusal


def too_slow(part: str, seconds: float) -> Refusal:
    """The head or the body was not there in time."""
    return Refusal(408, f"the {part} of the request took longer than {seconds:g} seconds")


def unreadable(error: Exception) -> Refusal:
    """The parser failed on what was sent."""
    reason = str(error).splitlines()[0][:128] if str(error) else type(error).__name__
    return Refusal(400, f"not an HTTP/1.1 request: {reason}")
