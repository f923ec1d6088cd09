"""Artifacts: what Flux's source-controller would have fetched from Git, packed and served over HTTP on loopback."""

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

Files = Mapping[str, bytes]
"""Contents by path."""

_ADDRESS: Final = "127.0.0.1"


class Artifact(NamedTuple):
    """One revision of a repository, and where it is served."""

    revision: str
    url: str
    digest: str
    size: int


class Artifacts:
    """Serves what was packed, while it is entered."""

    def __init__(self) -> None:
        served: dict[str, bytes] = {}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = served.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing of what goes well."""

        self._served = served
        self._server = ThreadingHTTPServer((_ADDRESS, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="artifacts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def pack(self, files: Files) -> Artifact:
        """Serve these files; the same files are the same revision."""
        content = _packed(files)
        digest = hashlib.sha256(content).hexdigest()
        path = f"/{digest}.tar.gz"
        self._served[path] = content
        url = f"http://{_ADDRESS}:{self._server.server_address[1]}{path}"
        return Artifact(f"main@sha1:{digest[:40]}", url, f"sha256:{digest}", len(content))


def folder(path: Path) -> Files:
    """The files below a folder, with its own name before theirs."""
    return {str(file.relative_to(path.parent)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def _packed(files: Files) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
