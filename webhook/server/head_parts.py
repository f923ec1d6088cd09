"""The parts of a head as they are read, within the limits."""

from webhook.server.head import Head, Refusal, read_head
from webhook.server.limits import Limits


class HeadParts:
    """The heads of one connection, one after the other. ``size`` counts bytes before they are parsed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self.has_begun = False
        self.size = 0

    def begin(self) -> None:
        self.has_begun = True
        self._url, self._headers = b"", []

    def add_url(self, url: bytes) -> Refusal | None:
        self._url += url
        if len(self._url) > self._limits.request_line:
            return Refusal(414, f"the path is longer than {self._limits.request_line} bytes")
        return None

    def add_header(self, name: bytes, value: bytes) -> Refusal | None:
        most, headers = self._limits, self._headers
        if len(headers) == most.header_count or len(name) + len(value) > most.header_size:
            return Refusal(431, f"more than {most.header_count} headers, or one of over {most.header_size} bytes")
        headers.append((name.lower(), value))
        return None

    def whole(self, method: bytes) -> Head:
        """The head, whose end has been read."""
        self.has_begun, self.size = False, 0
        return read_head(method, self._url, self._headers)

    def too_large(self) -> Refusal | None:
        """The refusal of a head that has no end yet."""
        if self.size > self._limits.head_size:
            return Refusal(431, f"the head of the request is larger than {self._limits.head_size} bytes")
        return None
