"""The place that keeps the contents."""

from typing import Protocol

from certs.contents import Contents


class CertificateStore(Protocol):
    """Reads, and replaces exactly the version that was read; there is no lock between the two."""

    def read(self) -> tuple[Contents, str]:
        """The contents and their version; those of an empty store are empty. Raises StoreError."""
        ...

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version. Raises StoreConflict if another was stored since, StoreError if it cannot write."""
        ...
