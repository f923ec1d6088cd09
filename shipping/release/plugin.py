"""The krew plugin: its archive, and its manifest with the owner of the repository filled in."""

import hashlib
import re
from pathlib import Path
from typing import Final

import yaml

from shipping import krew
from shipping.release.errors import CannotPack

_OWNER: Final = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9])*")


def plugin(files: Path, owner: str) -> dict[str, bytes]:
    """Archive and manifest by file name; with an empty owner the manifest keeps the word OWNER. Raises CannotPack."""
    if owner and not _OWNER.fullmatch(owner):
        raise CannotPack(f"OWNER={owner!r}: must be a user or an organization of GitHub")
    archive, manifest = krew.archive(files), (files / krew.PLUGIN).read_text()
    (platform,) = yaml.safe_load(manifest)["spec"]["platforms"]
    checksum = hashlib.sha256(archive).hexdigest()
    if platform["sha256"] != checksum:
        raise CannotPack(f"{krew.PLUGIN} states sha256 {platform['sha256']}, the archive has {checksum}; set that")
    if owner:
        manifest = manifest.replace("OWNER", owner)
    return {krew.NAME: archive, Path(krew.PLUGIN).name: manifest.encode()}
