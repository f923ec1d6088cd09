"""The official archive: used only if it is exactly the pinned one."""

import hashlib
import io
import os
import platform
import tarfile
from pathlib import Path

import pytest

from tests.controlplane import archive

pytestmark = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="the archive is for Linux on x86-64"
)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """An archive in the layout of the official ones."""
    path = tmp_path / "envtest.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in ("etcd", "kube-apiserver", "kubectl"):
            content = f"#!/bin/sh\necho {name}\n".encode()
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_the_programs_are_unpacked(published: Path, tmp_path: Path) -> None:
    digest = hashlib.sha512(published.read_bytes()).hexdigest()

    assert archive.fetch(tmp_path / "assets", published.as_uri(), digest)

    assert sorted(path.name for path in (tmp_path / "assets").iterdir()) == ["etcd", "kube-apiserver", "kubectl"]
    assert all(os.access(path, os.X_OK) for path in (tmp_path / "assets").iterdir())


def test_another_archive_is_not_unpacked(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not archive.fetch(tmp_path / "assets", published.as_uri(), "0" * 128)

    assert not (tmp_path / "assets").exists()
    assert "not the archive that is pinned" in capsys.readouterr().err


def test_a_network_without_it_is_no_error(tmp_path: Path) -> None:
    assert not archive.fetch(tmp_path / "assets", (tmp_path / "missing").as_uri())
