"""Pending responses: those that the handler gives later, and what is written after them, in the order of requests."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from webhook.admission import Response
from webhook.server.head import response


class Later(NamedTuple):
    """A response that the handler gives later; the connection ends after it if it ``closes``."""

    answer: asyncio.Future[Response]
    closes: bool


class PendingResponses(deque[Later | bytes]):
    """The next one is on the left; bytes are complete."""

    def send(self, data: bytes, transport: asyncio.WriteTransport) -> None:
        """Write a complete response now, or after what is pending."""
        if self:
            self.append(data)
        else:
            transport.write(data)

    def ready(self, date: bytes, *, draining: bool) -> Iterator[bytes]:
        """What can be written now, up to the next response that is not given yet; each is removed once written.

        What is behind a response that ends the connection is dropped: its client sends those requests again.
        """
        while self:
            first, close = self[0], False
            if isinstance(first, Later):
                if not first.answer.done():
                    return
                given = first.answer.result()
                close = first.closes or draining
                first = response(given.status, given.content_type, given.body, date, close=close)
            yield first
            self.popleft()
            if close:
                self.clear()
