"""Watcher: a thread that hands on what happens to the objects of a collection."""

import threading
from collections.abc import Callable
from typing import Any

from tests.controlplane.session import Session

Wire = dict[str, Any]
Handler = Callable[[str, Wire], None]
"""Called with ADDED, MODIFIED or DELETED, and the object."""


class Watcher:
    """At work from its construction on until the API server ends."""

    def __init__(self, session: Session, path: str, handler: Handler) -> None:
        self._session = session
        self._path = path
        self._handler = handler
        self._thread = threading.Thread(target=self._work, name=f"watch {path}", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end; the API server must have ended."""
        self._thread.join(10)

    def _work(self) -> None:
        for event in self._session.watch(self._path):
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                self._handler(event["type"], event["object"])
