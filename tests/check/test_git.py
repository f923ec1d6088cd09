"""What git has of files at a revision."""

import subprocess
from pathlib import Path

import pytest

from webhook.check import git
from webhook.check.git import GitFailed, inputs_at


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    run("init", "--quiet")
    write(root / "a.yaml", "old a")
    write(root / "b" / "c.json", "old c")
    write(root / "b" / "notes.txt", "old notes")
    (root / "b" / "link.yaml").symlink_to("c.json")
    commit("first")
    return root


def run(*arguments: str) -> None:
    identity = ("-c", "user.name=alice", "-c", "user.email=alice@example.com")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def commit(message: str) -> None:
    run("add", "--all")
    run("commit", "--quiet", "--message", message)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def contents(*paths: str, revision: str = "HEAD") -> dict[str, str]:
    root = next(each for each in (Path.cwd(), *Path.cwd().parents) if (each / ".git").exists())
    return {str(Path(one.name).relative_to(root)): one.data.decode() for one in inputs_at(revision, paths)}


def test_files_are_as_they_were(repository: Path) -> None:
    write(repository / "a.yaml", "new a")
    write(repository / "added.yaml", "new")
    (repository / "b" / "c.json").unlink()
    assert contents(".") == {"a.yaml": "old a", "b/c.json": "old c"}
    assert contents("b", "added.yaml") == {"b/c.json": "old c"}
    assert contents("b/notes.txt", "b/c.json") == {"b/notes.txt": "old notes", "b/c.json": "old c"}


def test_the_revision_counts(repository: Path) -> None:
    write(repository / "a.yaml", "new a")
    commit("second")
    assert contents("a.yaml") == {"a.yaml": "new a"}
    assert contents("a.yaml", revision="HEAD~1") == {"a.yaml": "old a"}


def test_paths_are_taken_from_any_folder_and_as_they_are(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository / "b" / "[x]*.yaml", "odd")
    commit("second")
    monkeypatch.chdir(repository / "b")
    assert contents("../a.yaml", "c.json") == {"a.yaml": "old a", "b/c.json": "old c"}
    assert contents("[x]*.yaml") == {"b/[x]*.yaml": "odd"}


def test_in_a_hook_of_git_the_repository_is_that_of_the_path(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    assert contents("b") == {"b/c.json": "old c"}
    monkeypatch.setenv("GIT_DIR", ".git")
    assert contents("b") == {"b/c.json": "old c"}


def test_many_files_and_bytes_of_any_kind(repository: Path) -> None:
    for number in range(50):
        write(repository / "many" / f"{number}.yaml", f"\n{number}\n\n" * number)
    (repository / "many" / "bytes.yaml").write_bytes(bytes(range(256)))
    commit("second")
    found = {Path(one.name).name: one.data for one in inputs_at("HEAD", ["many"])}
    assert len(found) == 51
    assert found["bytes.yaml"] == bytes(range(256))
    assert found["7.yaml"] == b"\n7\n\n" * 7


@pytest.mark.parametrize("revision", ["nothing", "--all", "-h", "HEAD:a.yaml", "HEAD; true", ""])
def test_what_is_no_revision_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(GitFailed, match="git has no revision"):
        contents("a.yaml", revision=revision)


def test_a_path_outside_of_a_repository(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="is in no git repository"):
        contents(str(tmp_path / "elsewhere.yaml"))


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(GitFailed, match="git is not installed, or not on the PATH"):
        contents("a.yaml")


def test_a_git_that_does_not_end(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(git, "TIMEOUT", 0.2)
    with pytest.raises(GitFailed, match=r"git rev-parse did not end within"):
        contents("a.yaml")
