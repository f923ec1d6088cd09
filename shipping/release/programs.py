"""The programs of others that packing runs."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shipping.release.errors import CannotPack

_SOURCES: Final = {
    "git": "install git",
    "helm": "install Helm 3, or run `make e2e` once, which builds it",
    "kubectl": "install kubectl, or run `make e2e` once, which builds it",
}


def find() -> None:
    """Raises CannotPack if one of the programs is not on PATH."""
    for name, source in _SOURCES.items():
        if shutil.which(name) is None:
            raise CannotPack(f"{name} is not on PATH; {source}")


def run(*command: str | Path, folder: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The standard output of a program that works in ``folder``. Raises CannotPack with its last line if it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)  # noqa: S603
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise CannotPack(f"{' '.join(str(word) for word in command[:2])}: {last}")
    return done.stdout
