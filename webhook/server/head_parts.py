"""The parts of a head as they are read, within the limits."""

from webhook.server.head import Head, Refusal, read_head
from webhook.server.limits import Limits


class HeadParts:
    """The heads of one connection, one after the other.

    ``size`` counts bytes before they are parsed, and those within a body that add nothing to it.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._count = 0
        self.has_begun = False
        self.size = 0

    def begin(self) -> None:
        self.has_begun = True
        self._url, self._headers, self._count = b"", [], 0

    def add_url(self, url: bytes) -> Refusal | None:
        self._url += url
        if len(self._url) > self._limits.request_line:
            return Refusal(414, f"the path is longer than {self._limits.request_line} bytes")
        return None

    def add_header(self, name: bytes, value: bytes) -> Refusal | None:
        """A header, or a trailer, which counts and is not kept."""
        most = self._limits
        self._count += 1
        if self._count > most.header_count or len(name) + len(value) > most.header_size:
            return Refusal(431, f"more than {most.header_count} headers, or one of over {most.header_size} bytes")
        if self.has_begun:
            self._headers.append((name.lower(), value))
        return None

    def whole(self, method: bytes) -> Head:
        """The head, whose end has been read; nothing of it is kept here."""
        url, headers = self._url, self._headers
        self.has_begun, self.size = False, 0
        self._url, self._headers = b"", []
        return read_head(method, url, headers)

    def too_large(self) -> Refusal | None:
        """The refusal of a head, or of trailers, without an end."""
        if self.size > self._limits.head_size:
            return Refusal(431, f"the head of the request is larger than {self._limits.head_size} bytes")
        return None
