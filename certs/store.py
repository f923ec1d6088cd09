"""The place that keeps the contents: what every kind of store offers."""

from typing import Protocol

from certs.contents import Contents


class Store(Protocol):
    """Read, and write what replaces exactly the version that was read. Nobody holds a lock between the two."""

    def read(self) -> tuple[Contents, str]:
        """What is kept, and its version; an empty store gives empty contents. Raises StoreError."""
        ...

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version; raises StoreConflict when another was stored since, StoreError when it cannot write."""
        ...
