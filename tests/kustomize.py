"""Kustomize: the manifests as ``kubectl kustomize`` prints them, for tests that read what is installed."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.controlplane import Binaries

MANIFESTS: Final = Path(__file__).parents[1] / "manifests"

Wire = dict[str, Any]


def overlays() -> list[str]:
    """Names of the overlays, each with a component of the same name."""
    return sorted(path.name for path in (MANIFESTS / "overlays").iterdir())


def rendered(*chosen: str) -> list[Wire]:
    """The objects of an installation with these overlays. Nobody may change them.

    The test, or the module that is imported, is skipped where there is no kubectl.
    """
    return list(_rendered(chosen))


def by_name(*chosen: str) -> dict[tuple[str, str], Wire]:
    """The same objects by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in _rendered(chosen)}


@cache
def _rendered(chosen: tuple[str, ...]) -> tuple[Wire, ...]:
    if len(chosen) < 2:
        return tuple(kustomized(_kubectl(), MANIFESTS / "overlays" / chosen[0] if chosen else MANIFESTS))
    with tempfile.TemporaryDirectory() as folder:
        return tuple(kustomized(_kubectl(), combined(Path(folder), *chosen)))


def combined(folder: Path, *chosen: str, **fields: Any) -> Path:
    """A kustomization of somebody who builds on ours, with these components and fields."""
    (folder / "manifests").symlink_to(MANIFESTS)
    fields |= {"resources": ["manifests/base"], "components": [f"manifests/components/{each}" for each in chosen]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(fields))
    return folder


def kustomized(kubectl: Path, folder: Path) -> list[Wire]:
    """What ``kubectl kustomize`` prints."""
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@cache
def _kubectl() -> Path:
    found = shutil.which("kubectl")
    if found is not None:
        return Path(found)
    made = Binaries.find()
    if made is None:
        pytest.skip("no kubectl here to render the manifests with", allow_module_level=True)
    return made.kubectl
