"""The store in a directory: four files, each replaced atomically, keys readable by their owner only."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certs.contents import NAMES, SECRET_NAMES, Contents
from certs.errors import StoreConflict, StoreError


class DirectoryStore:
    """Keeps the contents in ``path``, which a write creates (mode 0700) if it is missing.

    Writers are ordered by a lock that the kernel holds on the directory itself, and that ends with its process. Readers
    need none: each file is whole, and two files of different writes do not match.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Contents, str]:
        """The contents and their version; a missing file is empty. Raises StoreError if one cannot be read."""
        contents = Contents(*(self._read_file(name) for name in NAMES))
        return contents, contents.version

    def write(self, contents: Contents, version: str) -> None:
        """Replace that version; files that stay the same are not touched."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                stored, present = self.read()
                if present != version:
                    raise StoreConflict(f"{self.path} was written by somebody else in the meantime")
                before = stored.files()
                for name, data in contents.files().items():
                    if data != before[name]:
                        self._replace_file(name, data)
        except OSError as problem:
            raise StoreError(f"cannot write {problem.filename or self.path}: {problem.strerror}") from problem

    def _read_file(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return b""
        except NotADirectoryError as problem:
            raise StoreError("it is not a directory") from problem
        except OSError as problem:
            raise StoreError(f"cannot read {self.path / name}: {problem.strerror}") from problem

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _replace_file(self, name: str, data: bytes) -> None:
        new = self.path / f".{name}.{secrets.token_hex(8)}"
        mode = 0o600 if name in SECRET_NAMES else 0o644
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path / name)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
