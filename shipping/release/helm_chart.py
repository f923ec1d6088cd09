"""The chart as helm package makes it, for the image of the release."""

import gzip
import io
import re
import tarfile
from pathlib import Path
from typing import Final

import yaml

from shipping.release.errors import CannotPack
from shipping.release.image import Image
from shipping.release.programs import run

_EPOCH: Final = 0


def package(files: Path, image: Image) -> dict[str, bytes]:
    """The archive by its file name. ``files`` are those of the repository. Raises CannotPack."""
    chart, target = files / "manifests" / "chart", files / "packaged"
    _set_image(chart / "values.yaml", image)
    run("helm", "package", chart, "--destination", target, folder=files)
    (archive,) = target.iterdir()
    return {archive.name: _without_times(archive.read_bytes())}


def _set_image(path: Path, image: Image) -> None:
    """Change the default image in values.yaml, whose comments stay."""
    text = re.sub(r"(?m)^(  repository: )stagegate$", rf"\g<1>{image.name}", path.read_text())
    if image.digest:
        text = re.sub(r'(?m)^(  digest: )""$', rf"\g<1>{image.digest}", text)
    found = yaml.safe_load(text)["image"]
    if (found["repository"], found["digest"]) != (image.name, image.digest):
        raise CannotPack('manifests/chart/values.yaml: image has no line `repository: stagegate` or `digest: ""`')
    path.write_text(text)


def _without_times(archive: bytes) -> bytes:
    """The same files. Helm notes when it packed each of them, so its own bytes differ from run to run."""
    content = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed,
        gzip.GzipFile(filename="", fileobj=content, mode="wb", mtime=_EPOCH) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as repacked,
    ):
        for member in packed:
            member.mtime = _EPOCH
            repacked.addfile(member, packed.extractfile(member))
    return content.getvalue()
