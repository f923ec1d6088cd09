"""The krew manifest: krew's own validation accepts it, and installs the plugin from it."""

import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from shipping.krew import NAME, PLUGIN, archive
from tests.documents import REPOSITORY

MANIFEST = REPOSITORY / PLUGIN


@pytest.fixture
def release() -> Iterator[str]:
    """The URL of a server that has the archive."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(archive(REPOSITORY))

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{NAME}"
        finally:
            server.shutdown()
            thread.join()


def validate(krew: Path, manifest: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Krew's validation, which has ``kubectl krew`` install each platform by default."""
    return subprocess.run(
        [krew, "-manifest", manifest, *options],
        env=os.environ | {"PATH": f"{krew.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_krew_accepts_the_manifest(program: Callable[[str], Path]) -> None:
    done = validate(program("validate-krew-manifest"), MANIFEST, "-skip-install")
    assert done.returncode == 0, done.stderr


def test_krew_installs_the_plugin(program: Callable[[str], Path], release: str, tmp_path: Path) -> None:
    """With the checksum that the manifest states, from another place."""
    plugin = yaml.safe_load(MANIFEST.read_text())
    plugin["spec"]["platforms"][0]["uri"] = release
    manifest = tmp_path / MANIFEST.name
    manifest.write_text(yaml.safe_dump(plugin))
    done = validate(program("validate-krew-manifest"), manifest)
    assert done.returncode == 0, done.stderr


def test_krew_refuses_an_archive_of_another_checksum(
    program: Callable[[str], Path], release: str, tmp_path: Path
) -> None:
    plugin = yaml.safe_load(MANIFEST.read_text())
    plugin["spec"]["platforms"][0] |= {"uri": release, "sha256": "0" * 64}
    manifest = tmp_path / MANIFEST.name
    manifest.write_text(yaml.safe_dump(plugin))
    done = validate(program("validate-krew-manifest"), manifest)
    assert done.returncode != 0
    assert "checksum" in done.stderr
