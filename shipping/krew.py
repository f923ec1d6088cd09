"""The archive that krew downloads: the launcher and the licence, not compressed, so that its checksum never changes."""

import io
import zipfile
from pathlib import Path
from typing import Final

NAME: Final = "kubectl-stagegate.zip"
PLUGIN: Final = "manifests/krew/stagegate.yaml"
LAUNCHER: Final = "manifests/krew/kubectl-stagegate"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3


def archive(repository: Path) -> bytes:
    """The content of the archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as files:
        for path, mode in ((repository / LAUNCHER, 0o100755), (repository / "LICENSE", 0o100644)):
            entry = zipfile.ZipInfo(path.name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = mode << 16
            files.writestr(entry, path.read_bytes())
    return content.getvalue()
