"""A copy of the repository, as a clone of what is in the working tree would be."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.documents import REPOSITORY

_GIT: Final = ["git", "-c", "user.name=alice", "-c", "user.email=alice@example.com"]
_DATE: Final = "2026-01-01T00:00:00Z"


def clone(folder: Path, *paths: str) -> Path:
    """What git would commit here, or of it these paths, committed there; the same commit for the same files."""
    listed = _run(REPOSITORY, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths)
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
            shutil.copymode(REPOSITORY / name, folder / name)
    _run(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    _run(folder, "add", "--all")
    _run(folder, "commit", "--quiet", "--message", "all")


def tag(folder: Path, name: str) -> None:
    _run(folder, "tag", name)


def _run(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    dates = {"GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE}
    done = subprocess.run(
        [*_GIT, *words], cwd=folder, env=environment | dates, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
