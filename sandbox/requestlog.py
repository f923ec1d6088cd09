"""What was asked of the sandbox: one record a request."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 200_000
"""Records kept before the oldest are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request after it was answered (a watch: when it began).

    ``verb`` is one of get, list, watch, create, update, patch, apply, delete; other paths have the
    method in lower case and an empty resource.
    """

    verb: str
    user: str
    code: int
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


class RequestLog:
    """Records of a running sandbox, safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=_KEPT)

    def add(self, record: RequestRecord) -> None:
        with self._lock:
            self._records.append(record)

    def __iter__(self) -> Iterator[RequestRecord]:
        with self._lock:
            return iter(list(self._records))
