"""Where the programs are looked for, and in which order."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.controlplane import archive, build, release
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
    def built(go: Path, folder: Path, recipe: build.Recipe) -> None:
        assert recipe.module.name == release.DEFAULT
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
    (tmp_path / release.DEFAULT).mkdir()
    for name in ("go.mod", "go.sum"):
        text = (release.RELEASES / release.DEFAULT / name).read_text()
        (tmp_path / release.DEFAULT / name).write_text(text + "\n")
    monkeypatch.setattr(release, "RELEASES", tmp_path)

    assert build_folder(environ) != before


@pytest.mark.parametrize("name", release.releases())
def test_each_release_has_a_build_of_its_own(environ: dict[str, str], name: str) -> None:
    fill(build_folder(environ | {"KUBERNETES": name}))

    found = {other: Binaries.find(environ | {"KUBERNETES": other}) for other in release.releases()}

    assert [other for other, binaries in found.items() if binaries is not None] == [name]
    assert release.version(name).startswith(f"v{name}.")


def test_an_archive_stands_for_no_release_that_was_named(environ: dict[str, str]) -> None:
    fill(archive_folder(environ))

    assert Binaries.find(environ) is not None
    assert Binaries.find(environ | {"KUBERNETES": release.DEFAULT}) is None


def test_a_release_that_is_not_pinned_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match=r"KUBERNETES=1.29: not one of 1.30, 1.36"):
        Binaries.find(environ | {"KUBERNETES": "1.29"})


def test_assets_and_a_named_release_exclude_each_other(environ: dict[str, str], tmp_path: Path) -> None:
    assets = fill(tmp_path / "assets")

    with pytest.raises(Unavailable, match=f"KUBERNETES=1.30 and KUBEBUILDER_ASSETS={assets} are both set; unset one"):
        Binaries.find(environ | {"KUBEBUILDER_ASSETS": str(assets), "KUBERNETES": "1.30"})
