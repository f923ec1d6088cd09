"""The version of the release, and every file that states it."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shipping.release.errors import CannotPack

SOURCE: Final = "pyproject.toml"

_IMAGE_TAG: Final = r"\bstagegate:(\d[\w.-]*)"
PLACES: Final = {
    "CHANGELOG.md": r"^## \[(\d[^]]*)\]",
    "Dockerfile": r"^ARG VERSION=(\S+)$",
    "README.md": _IMAGE_TAG,
    "docs/CHECKS.md": r"(?:rev: |stagegate@)v(\d[\w.-]*)",
    "manifests/base/loop.yaml": _IMAGE_TAG,
    "manifests/base/webhook.yaml": _IMAGE_TAG,
    "manifests/components/web/web.yaml": _IMAGE_TAG,
    "manifests/chart/Chart.yaml": r"^(?:v|appV)ersion: (\S+)$",
    "manifests/krew/stagegate.yaml": r"(?:^  version: |/releases/download/)v([^/\s]+)",
}
"""Patterns of what states the version, by file. Of the change log the newest entry counts."""


def read(files: Path) -> str:
    """The version in pyproject.toml. Raises CannotPack if a file states another one, or none."""
    version: str = tomllib.loads((files / SOURCE).read_text())["project"]["version"]
    for name in PLACES:
        found = list(_stated(files, name))
        if not found:
            raise CannotPack(f"{name} does not state the version, which is {version} in {SOURCE}")
        for other in found:
            if other != version:
                raise CannotPack(f"{name} states the version {other}, {SOURCE} {version}; set the same in both")
    return version


def _stated(files: Path, name: str) -> Iterator[str]:
    found = re.findall(PLACES[name], (files / name).read_text(), re.MULTILINE)
    yield from found[:1] if name == "CHANGELOG.md" else found
