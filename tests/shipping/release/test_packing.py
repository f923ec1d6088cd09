"""When a release is not packed, and what the one line says then."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shipping.release import packing, versions
from shipping.release.errors import CannotPack
from tests.shipping.repository import clone, commit, tag

KUBECTL = "#!/bin/sh\necho 'kind: List'\n"
HELM = "#!/bin/sh\necho 'Error: chart metadata is missing' >&2\nexit 1\n"
PACKING_HELM = """\
#!/bin/sh
PATH=/usr/bin:/bin
mkdir packaged && tar -czf packaged/stagegate-0.1.0.tgz -C manifests chart
"""


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cloned")
    return clone(folder, ".gitignore", "LICENSE", "manifests", versions.SOURCE, *versions.PLACES)


@pytest.fixture
def repository(cloned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean clone, on a machine with git and with a kubectl and a Helm that do little."""
    for name, program in {"kubectl": KUBECTL, "helm": HELM}.items():
        (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(program)
        (tmp_path / "bin" / name).chmod(0o755)
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "bin" / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Path(shutil.copytree(cloned, tmp_path / "repository", symlinks=True))


def new_file(repository: Path) -> None:
    (repository / "notes.txt").touch()


def changed_files(repository: Path) -> None:
    (repository / "LICENSE").write_text("")
    (repository / "README.md").unlink()


def another_tag(repository: Path) -> None:
    tag(repository, "v9.9.9")


def another_launcher(repository: Path) -> None:
    (repository / "manifests/krew/kubectl-stagegate").write_text("")
    commit(repository)


def other_values(repository: Path) -> None:
    path = repository / "manifests/chart/values.yaml"
    path.write_text(path.read_text().replace("repository: stagegate", "repository: gate"))
    commit(repository)


def packed_already(repository: Path) -> None:
    (repository / "dist/stagegate-0.1.0").mkdir(parents=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (new_file, "the working tree differs from its commit: notes.txt; commit or remove it"),
        (changed_files, "the working tree differs from its commit: LICENSE and 1 more; commit or remove it"),
        (another_tag, "the commit has the tag v9.9.9, pyproject.toml the version 0.1.0"),
        (another_launcher, "manifests/krew/stagegate.yaml states sha256 "),
        (other_values, "manifests/chart/values.yaml: image has no line `repository: stagegate`"),
        (packed_already, "dist/stagegate-0.1.0 exists; remove it, or name another folder with DIR="),
        (lambda _: None, "helm package: Error: chart metadata is missing"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_it_is_not_packed(repository: Path, change: Callable[[Path], None], message: str) -> None:
    change(repository)
    before = set(repository.glob("dist/*"))

    with pytest.raises(CannotPack) as caught:
        packing.pack(repository)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert set(repository.glob("dist/*")) == before


@pytest.mark.parametrize("program", ["git", "helm", "kubectl"])
def test_a_program_that_is_missing_is_named(repository: Path, tmp_path: Path, program: str) -> None:
    (tmp_path / "bin" / program).unlink()

    with pytest.raises(CannotPack, match=rf"^{program} is not on PATH; install .*$"):
        packing.pack(repository)


@pytest.mark.parametrize("owner", ["a b", "-a", "a/b", "https://github.com/a"])
def test_an_owner_that_github_would_not_have(repository: Path, owner: str) -> None:
    with pytest.raises(CannotPack, match=r"OWNER=.*: must be a user or an organization of GitHub"):
        packing.pack(repository, owner=owner)


def test_a_folder_that_cannot_be_made(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "helm").write_text(PACKING_HELM)
    (tmp_path / "file").touch()

    with pytest.raises(CannotPack, match=r"file/below cannot be written: Not a directory; name another .* DIR=$"):
        packing.pack(repository, tmp_path / "file" / "below")
