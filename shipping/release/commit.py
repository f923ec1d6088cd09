"""The commit that is packed: only what git has counts, in a working tree without changes."""

import io
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

from shipping.release.errors import CannotPack
from shipping.release.programs import run


class Commit(NamedTuple):
    """Its hash, and the tags of versions that it has, such as v0.1.0."""

    name: str
    tags: list[str]


def read(repository: Path) -> Commit:
    """The commit that is checked out. Raises CannotPack if a file differs from it, or is new and not ignored."""
    changed = _git(repository, "status", "--porcelain", "--untracked-files=normal").splitlines()
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise CannotPack(f"the working tree differs from its commit: {changed[0][3:]}{more}; commit or remove it")
    tags = _git(repository, "tag", "--points-at", "HEAD", "--list", "v[0-9]*").split()
    return Commit(_git(repository, "rev-parse", "HEAD").strip(), tags)


def export(repository: Path, commit: Commit, folder: Path) -> None:
    """Write the files of the commit into a folder, without those that git ignores."""
    archive = run("git", "archive", commit.name, folder=repository, environment=_environment())
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def _git(repository: Path, *words: str) -> str:
    return run("git", *words, folder=repository, environment=_environment()).decode()


def _environment() -> dict[str, str]:
    """Without what a git hook sets, which would name another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
