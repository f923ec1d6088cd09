"""install.yaml of the default install and of every overlay, as kubectl kustomize renders them with the image."""

from pathlib import Path
from typing import Final

import yaml

from shipping.release.image import Image
from shipping.release.programs import run

_NAME_IN_MANIFESTS: Final = "stagegate"


def installs(files: Path, image: Image) -> dict[str, bytes]:
    """The content by file name. ``files`` are those of the repository. Raises CannotPack."""
    overlays = sorted(path.name for path in (files / "manifests" / "overlays").iterdir())
    folders = {"install.yaml": "manifests"} | {
        f"install-{name}.yaml": f"manifests/overlays/{name}" for name in overlays
    }
    return {name: _render(files, folder, image) for name, folder in folders.items()}


def _render(files: Path, folder: str, image: Image) -> bytes:
    with_image = files / "with-image"
    with_image.mkdir(exist_ok=True)
    chosen = {"digest": image.digest} if image.digest else {"newTag": image.tag}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../{folder}"],
        "images": [{"name": _NAME_IN_MANIFESTS, "newName": image.name, **chosen}],
    }
    (with_image / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return run("kubectl", "kustomize", with_image, folder=files)
