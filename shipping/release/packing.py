"""Packs a release: every file, the instructions for the image, and the checksums."""

import hashlib
import tempfile
from pathlib import Path
from typing import Final

from shipping.release import commit, programs, versions
from shipping.release.commit import Commit
from shipping.release.errors import CannotPack
from shipping.release.helm_chart import package
from shipping.release.image import Image
from shipping.release.kustomized import installs
from shipping.release.plugin import plugin

SUMS: Final = "SHA256SUMS"
_INSTRUCTIONS: Final = """\
# The image of Stagegate {version}

install.yaml, its variants and the chart name the image `{image}`. It is built from commit {commit}:

```console
git checkout {commit}
docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max \\
  --tag {name}:{version} --push .
docker buildx imagetools inspect {name}:{version} --format '{{{{.Manifest.Digest}}}}'
```

The last command prints its digest. With `make release IMAGE={name}@DIGEST`, a release is packed that names the image by
it. To use a copy of the image under another name:

```console
helm install stagegate stagegate-{version}.tgz --namespace stagegate-system --create-namespace \\
  --set image.repository=NAME --set image.digest=DIGEST
sed 's|image: {image}$|image: NAME@DIGEST|' install.yaml | kubectl apply -f -
```

`sha256sum --check SHA256SUMS` verifies the other files.
"""


def pack(repository: Path, target: Path | None = None, image: str = "", owner: str = "") -> Path:
    """Pack the commit that is checked out; the folder, which is dist/stagegate-VERSION if none is given.

    ``image`` is the name of the image, with the version as tag or with a digest; ``owner`` is that of the repository on
    GitHub. Raises CannotPack.
    """
    programs.find()
    packed = commit.read(repository)
    with tempfile.TemporaryDirectory(prefix="stagegate-release-") as temporary:
        files = Path(temporary)
        commit.export(repository, packed, files)
        version = versions.read(files)
        _check_tags(packed, version)
        target = target or repository / "dist" / f"stagegate-{version}"
        if target.exists():
            raise CannotPack(f"{target} exists; remove it, or name another folder with DIR=")
        content = _content(files, packed, Image.parse(image or "stagegate", version), owner)
    try:
        target.mkdir(parents=True)
        for name, data in content.items():
            (target / name).write_bytes(data)
    except OSError as problem:
        raise CannotPack(f"{target} cannot be written: {problem.strerror}; name another folder with DIR=") from problem
    return target


def _check_tags(packed: Commit, version: str) -> None:
    if packed.tags and f"v{version}" not in packed.tags:
        raise CannotPack(f"the commit has the tag {packed.tags[0]}, {versions.SOURCE} the version {version}")


def _content(files: Path, packed: Commit, image: Image, owner: str) -> dict[str, bytes]:
    """The files of the release by name."""
    instructions = _INSTRUCTIONS.format(version=image.tag, image=image, name=image.name, commit=packed.name)
    content = {
        "IMAGE.md": instructions.encode(),
        **plugin(files, owner),
        **installs(files, image),
        **package(files, image),
    }
    sums = [f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content)]
    return {**content, SUMS: "".join(sums).encode()}
