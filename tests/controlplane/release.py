"""The releases of Kubernetes that can be built, one folder of pinned modules for each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.controlplane.build import Recipe

RELEASES: Final = Path(__file__).parent / "releases"
DEFAULT: Final = "1.36"
CHOICE: Final = "KUBERNETES"
"""The environment variable that names another release, such as 1.30."""

_KUBERNETES: Final = "k8s.io/kubernetes"
_PROGRAMS: Final = {
    "kube-apiserver": f"{_KUBERNETES}/cmd/kube-apiserver",
    "kube-controller-manager": f"{_KUBERNETES}/cmd/kube-controller-manager",
    "kubectl": f"{_KUBERNETES}/cmd/kubectl",
    "etcd": "go.etcd.io/etcd/server/v3",
}


class UnknownRelease(ValueError):
    """No modules are pinned for this release; the message says for which."""


def releases() -> list[str]:
    """Those that can be named, oldest first."""
    found = (path.name for path in RELEASES.iterdir() if (path / "go.mod").exists())
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def chosen(environ: Mapping[str, str]) -> str | None:
    """The release that was asked for by name; None if none was. Raises UnknownRelease."""
    name = environ.get(CHOICE)
    if not name:
        return None
    if name not in releases():
        raise UnknownRelease(f"{CHOICE}={name}: not one of {', '.join(releases())}")
    return name


def recipe(name: str) -> Recipe:
    """How to build a release."""
    folder = RELEASES / name
    version = Recipe("", folder, {}).version(_KUBERNETES)
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "buildDate": "1970-01-01T00:00:00Z"}
    variables = {f"k8s.io/component-base/version.{key}": value for key, value in stamp.items()}
    return Recipe(f"kube-apiserver and etcd {version}", folder, _PROGRAMS, variables)


def version(name: str) -> str:
    """The pinned patch release, such as v1.36.3."""
    return recipe(name).version(_KUBERNETES)
