"""Where the programs are looked for, and in which order."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.controlplane import archive, build
from tests.controlplane.__main__ import main
from tests.controlplane.binaries import REQUIRED, Binaries, Unavailable, archive_folder, build_folder


def fill(folder: Path, names: Iterable[str] = REQUIRED) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine whose caches are empty."""
    return {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def nothing_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "fetch", lambda folder: False)
    monkeypatch.setattr(build, "find_go", lambda cache: None)


def test_kubebuilder_assets_come_first(environ: dict[str, str], tmp_path: Path) -> None:
    fill(build_folder(environ))
    assets = fill(tmp_path / "assets")

    found = Binaries.find(environ | {"KUBEBUILDER_ASSETS": str(assets)})

    assert found == Binaries(assets / "etcd", assets / "kube-apiserver", assets / "kubectl", None)


def test_incomplete_assets_are_named(environ: dict[str, str], tmp_path: Path) -> None:
    assets = fill(tmp_path / "assets", ["etcd"])

    with pytest.raises(Unavailable, match=f"KUBEBUILDER_ASSETS={assets} lacks one of etcd, kube-apiserver, kubectl"):
        Binaries.find(environ | {"KUBEBUILDER_ASSETS": str(assets)})


def test_a_build_in_the_cache_comes_before_an_archive(environ: dict[str, str]) -> None:
    fill(archive_folder(environ))
    archived = Binaries.find(environ)
    built = fill(build_folder(environ), [*REQUIRED, "kube-controller-manager"])

    assert archived is not None
    assert archived.kube_controller_manager is None
    found = Binaries.find(environ)
    assert found is not None
    assert found.etcd == built / "etcd"
    assert found.manager == built / "kube-controller-manager"


def test_the_archive_is_tried_before_a_build(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "fetch", lambda folder: bool(fill(folder)))

    assert Binaries.find_or_make(environ).kubectl == archive_folder(environ) / "kubectl"


def test_a_controller_manager_is_built_where_the_archive_has_none(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(go: Path, folder: Path) -> None:
        fill(folder, [*REQUIRED, "kube-controller-manager"])

    fill(archive_folder(environ))
    monkeypatch.setattr(build, "find_go", lambda cache: Path("go"))
    monkeypatch.setattr(build, "build", built)

    found = Binaries.find_or_make(environ, controller_manager=True)

    assert found.kube_controller_manager == build_folder(environ) / "kube-controller-manager"


@pytest.mark.usefixtures("nothing_to_be_had")
def test_where_nothing_is_to_be_had_one_line_says_what_to_install(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", environ["HOME"])
    monkeypatch.setenv("XDG_CACHE_HOME", environ["XDG_CACHE_HOME"])
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    assert main(["build"]) == 3

    (line,) = capsys.readouterr().err.splitlines()
    assert "install Go 1.26 or newer" in line
    assert "KUBEBUILDER_ASSETS" in line


def test_a_change_of_the_pinned_modules_is_another_build(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = build_folder(environ)
    for name in ("go.mod", "go.sum"):
        (tmp_path / name).write_text((build.MODULE / name).read_text() + "\n")
    monkeypatch.setattr(build, "MODULE", tmp_path)

    assert build_folder(environ) != before
