"""Repository: a Git repository of its own, whose commits replace everything that it held."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_IDENTITY: Final = {
    f"GIT_{role}_{member}": value
    for role in ("AUTHOR", "COMMITTER")
    for member, value in (("NAME", "jane"), ("EMAIL", "jane@example.com"))
}
_CONFIGURED_BY_NOBODY: Final = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


class Repository:
    """On the branch ``main`` in a folder, which others read by ``url``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"file://{folder}"
        folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    def commit(self, files: Mapping[str, str | Path]) -> str:
        """Hold these files and nothing else; the id of the commit. A path stands for a copy of a file or a folder."""
        for path in self._folder.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, content in files.items():
            target = self._folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                target.write_text(content)
            elif content.is_dir():
                shutil.copytree(content, target)
            else:
                shutil.copyfile(content, target)
        self._git("add", "--all", "--force")
        self._git("commit", "--quiet", "--allow-empty", "--message=change")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self._folder,
            env=os.environ | _IDENTITY | _CONFIGURED_BY_NOBODY,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout
