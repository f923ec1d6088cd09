"""The version: stated in many files, and the same in all of them."""

import re
import shutil
from pathlib import Path

import pytest

from shipping.release import versions
from shipping.release.errors import CannotPack
from tests.documents import REPOSITORY

FILES = [versions.SOURCE, *versions.PLACES]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def test_every_file_states_the_version_of_the_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", versions.read(REPOSITORY))


@pytest.mark.parametrize("name", versions.PLACES)
def test_another_version_is_found(files: Path, name: str) -> None:
    version = versions.read(files)
    path = files / name
    path.write_text(path.read_text().replace(version, "9.9.9"))

    with pytest.raises(CannotPack) as caught:
        versions.read(files)

    assert str(caught.value) == (f"{name} states the version 9.9.9, pyproject.toml {version}; set the same in both")


@pytest.mark.parametrize("name", versions.PLACES)
def test_no_version_is_found(files: Path, name: str) -> None:
    version = versions.read(files)
    (files / name).write_text("")

    with pytest.raises(CannotPack) as caught:
        versions.read(files)

    assert str(caught.value) == f"{name} does not state the version, which is {version} in pyproject.toml"
