"""The release before this one: its own code and manifests, out of the history of the repository."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.e2e.administrator import REPOSITORY

COMMIT: Final = "6689d1e9e0fa37d147d83172d2cb8eb20d46eea3"
"""The last commit of the former release; set it anew with each release."""
IMAGE: Final = "stagegate:0.0.9"


def unpack(folder: Path) -> Path:
    """The files of the former release, put into a folder; the test is skipped where git does not have the commit."""
    if not is_unpacked(folder):
        pytest.skip(f"git has no commit {COMMIT[:12]} here, so the former release cannot be run (a shallow clone?)")
    return folder


def is_unpacked(folder: Path) -> bool:
    """Put its files into a folder; False where git does not have the commit."""
    archive = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", COMMIT], capture_output=True, check=False, timeout=60
    )
    if archive.returncode != 0:
        return False
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return True


def render(code: Path) -> list[dict[str, Any]]:
    """The objects that the former release's own command prints, with an image by which they are known."""
    command = [sys.executable, "-m", "webhook", "manifests", "--image", IMAGE]
    printed = subprocess.run(command, cwd=code, capture_output=True, text=True, check=True, timeout=60)
    return list(yaml.safe_load_all(printed.stdout))
