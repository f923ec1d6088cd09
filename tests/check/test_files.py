"""Which files a run reads, and what it does with those that are not to be read."""

import os
from pathlib import Path

import pytest

from webhook.check.files import Input, MissingFile, inputs_of
from webhook.check.source_text import MAX_BYTES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b/two.yml", "b/one.yaml", "b/c/three.json", "b/notes.txt", "b/.git/x.yaml", "a.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(*paths: str) -> list[str]:
    return [one.name for one in inputs_of(paths)]


def test_a_folder_is_read_with_all_below_it_in_order(folder: Path) -> None:
    assert names(".") == ["a.yaml", "b/one.yaml", "b/two.yml", "b/c/three.json"]
    assert names("b/") == ["b/one.yaml", "b/two.yml", "b/c/three.json"]


def test_a_named_file_may_have_any_name(folder: Path) -> None:
    assert [*inputs_of(["b/notes.txt", "b/c/three.json"])] == [
        Input("b/notes.txt", b"b/notes.txt"),
        Input("b/c/three.json", b"b/c/three.json", is_json=True),
    ]


def test_a_file_is_read_once(folder: Path) -> None:
    (folder / "link.yaml").symlink_to("a.yaml")
    assert names("a.yaml", "./a.yaml", "link.yaml", ".") == ["a.yaml", "b/one.yaml", "b/two.yml", "b/c/three.json"]


def test_loops_of_links_are_not_followed(folder: Path) -> None:
    (folder / "b" / "loop").symlink_to("..")
    (folder / "b" / "self.yaml").symlink_to("self.yaml")
    assert names("b") == ["b/one.yaml", "b/two.yml", "b/c/three.json"]
    with pytest.raises(MissingFile, match=r"^cannot read b/self\.yaml: Too many levels of symbolic links$"):
        names("b/self.yaml")


def test_what_is_no_file_is_left_out_of_a_folder(folder: Path) -> None:
    os.mkfifo(folder / "b" / "pipe.yaml")
    assert "b/pipe.yaml" not in names("b")


def test_a_missing_path_is_named(folder: Path) -> None:
    with pytest.raises(MissingFile, match=r"^cannot read nowhere\.yaml: No such file or directory$"):
        names("a.yaml", "nowhere.yaml")


def test_standard_input_is_read_once_and_no_further_than_may_be(folder: Path) -> None:
    one, *others = inputs_of(["-", "-"], iter([b"a: 1"]))
    assert (one, others) == (Input("stdin", b"a: 1", is_rendered=True), [])
    endless = iter(lambda: b"#" * 2**20, None)
    (one,) = inputs_of(["-"], endless)
    assert MAX_BYTES < len(one.data) <= MAX_BYTES + 2**20


def test_a_long_file_is_read_no_further_than_may_be(folder: Path) -> None:
    with (folder / "long.yaml").open("wb") as file:
        file.truncate(MAX_BYTES * 3)
    (one,) = inputs_of(["long.yaml"])
    assert len(one.data) == MAX_BYTES + 1
