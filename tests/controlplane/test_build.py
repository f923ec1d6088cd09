"""Building: what appears, under which names, and what becomes of a failure."""

import fcntl
import threading
import time
from pathlib import Path

import pytest

from tests.controlplane import build as builds
from tests.controlplane.build import BuildFailed, FetchFailed, Recipe, build

GO_MOD = """\
module example.com/programs

require example.com/one v1.2.3

require (
	example.com/two v0.1.0 // indirect
)
"""
GO = """\
#!/bin/sh
# Lists, or builds, as Go does: the last word but for a major version is the name of what is built.
if [ "$1" = list ]; then {list}; exit; fi
while [ "$1" != -o ]; do shift; done
{build}
touch "$2/server" "$2/one"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "go.mod").write_text(GO_MOD)
    (tmp_path / "module" / "go.sum").touch()
    programs = {"etcd": "example.com/two/server/v3", "one": "example.com/one"}
    return Recipe("programs", tmp_path / "module", programs)


def go(folder: Path, listing: str = "echo a package", building: str = "echo a package >&2") -> Path:
    path = folder / "go"
    path.write_text(GO.format(list=listing, build=building))
    path.chmod(0o755)
    return path


def await_said(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    deadline, said = time.monotonic() + 30, ""
    while words not in said:
        assert time.monotonic() < deadline, said
        time.sleep(0.01)
        said += capsys.readouterr().err


@pytest.mark.parametrize(("path", "version"), [("example.com/one", "v1.2.3"), ("example.com/two", "v0.1.0")])
def test_a_recipe_knows_what_is_pinned(recipe: Recipe, path: str, version: str) -> None:
    assert recipe.version(path) == version


def test_what_is_not_pinned_is_named(recipe: Recipe) -> None:
    with pytest.raises(BuildFailed, match=r"go\.mod pins no example\.com/three"):
        recipe.version("example.com/three")


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_another_source_is_another_build(recipe: Recipe, name: str) -> None:
    before = recipe.digest()
    (recipe.module / name).write_text("// another\n")

    assert recipe.digest() != before


def test_programs_have_the_names_of_the_recipe(recipe: Recipe, tmp_path: Path) -> None:
    build(go(tmp_path), tmp_path / "built", recipe)

    assert sorted(path.name for path in (tmp_path / "built").iterdir()) == ["etcd", "one"]


@pytest.mark.parametrize(
    ("listing", "building", "failure", "message"),
    [
        ("echo dial tcp: timeout >&2; exit 1", ":", FetchFailed, "dial tcp: timeout"),
        ("echo verifying x: checksum mismatch >&2; exit 1", ":", BuildFailed, "verifying x: checksum mismatch"),
        ("echo x: missing go.sum entry >&2; exit 1", ":", BuildFailed, "x: missing go.sum entry"),
        ("exit 1", ":", FetchFailed, "go printed nothing"),
        ("echo a package", "echo main.go:1: undefined >&2; exit 1", BuildFailed, "main.go:1: undefined"),
    ],
)
def test_a_failure_is_reported_and_nothing_appears(
    recipe: Recipe, tmp_path: Path, listing: str, building: str, failure: type[BuildFailed], message: str
) -> None:
    with pytest.raises(BuildFailed) as caught:
        build(go(tmp_path, listing, building), tmp_path / "built", recipe)

    assert type(caught.value) is failure
    assert str(caught.value) == message
    assert not (tmp_path / "built").exists()


def test_two_that_build_at_once_build_once(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(builds, "_PROGRESS_EVERY", 0.01)
    calls = tmp_path / "calls"
    program = go(tmp_path, building=f"echo a call >> {calls}; echo a package >&2")
    folder = tmp_path / "cache" / "built"
    folder.parent.mkdir()
    with (folder.parent / ".building").open("w") as third:
        fcntl.flock(third, fcntl.LOCK_EX)
        builders = [threading.Thread(target=build, args=(program, folder, recipe)) for _ in range(2)]
        for each in builders:
            each.start()
        await_said("waiting for another build", capsys)
    for each in builders:
        each.join()

    assert calls.read_text() == "a call\n"


def test_a_long_build_says_how_far_it_is(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also while nothing is compiled: modules are fetched, or a program is linked."""
    monkeypatch.setattr(builds, "_PROGRESS_EVERY", 0.01)
    going = [tmp_path / name for name in ("fetching", "linking")]
    await_sign = [f"while [ ! -e {sign} ]; do sleep 0.01; done" for sign in going]
    program = go(tmp_path, f"{await_sign[0]}; echo a package", f"echo a package >&2; {await_sign[1]}")
    builder = threading.Thread(target=build, args=(program, tmp_path / "built", recipe))
    builder.start()
    for sign, words in zip(going, ("still fetching modules after", "1 of at most 1 packages compiled"), strict=True):
        await_said(words, capsys)
        sign.touch()
    builder.join()
