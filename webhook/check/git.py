"""The files as git has them at a revision: what an update replaces."""

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from webhook.check.files import MAX_FILES, SUFFIXES, Input
from webhook.check.source_text import MAX_BYTES

TIMEOUT: Final = 60.0
"""Seconds that one call of git may take."""

_GIT: Final = ("git", "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false")
_OF_A_HOOK: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_INDEX_FILE", "GIT_NAMESPACE"}
)
"""Variables that git sets for its hooks: with them it would take any folder for the root of that repository."""
_BLOB: Final = "blob"


class GitFailed(Exception):
    """Git is not there, or it has not what was asked for; why, in one line."""


def inputs_at(revision: str, paths: Iterable[str]) -> Iterator[Input]:
    """The files at these paths, and in these folders, in a revision; those added since are left out. Raises GitFailed.

    Names are absolute. Paths may belong to several repositories; each must have the revision.
    """
    by_repository: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_repository[_repository_of(path)].append(path)
    for repository, inside in by_repository.items():
        commit = _line(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if not commit:
            raise GitFailed(f"{repository}: git has no revision {revision[:80]!r}; fetch it, or name another")
        yield from _files(repository, commit, [os.path.relpath(os.path.realpath(path), repository) for path in inside])


def _files(repository: str, commit: str, paths: Sequence[str]) -> Iterator[Input]:
    wanted = [path.replace(os.sep, "/") for path in paths]
    inside = [] if os.curdir in wanted else wanted
    listed = _call(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *inside)
    blobs: list[tuple[str, int, str]] = []
    for entry in listed.split(b"\0")[:MAX_FILES]:
        head, _, name = entry.partition(b"\t")
        words = head.decode().split()
        path = os.fsdecode(name)
        is_wanted = path in wanted or path.endswith(SUFFIXES)
        if len(words) == 4 and words[1] == _BLOB and words[0] != "120000" and is_wanted and int(words[3]) <= MAX_BYTES:
            blobs.append((words[2], int(words[3]), path))
    answer = memoryview(_call(repository, "cat-file", "--batch", given="".join(f"{name}\n" for name, _, _ in blobs)))
    for object_name, size, path in blobs:
        # A line with name, type and size; the content; the end of a line.
        begin = len(object_name) + len(f" {_BLOB} {size}\n")
        yield Input(str(Path(repository, path)), bytes(answer[begin : begin + size]), is_json=path.endswith(".json"))
        answer = answer[begin + size + 1 :]


def _repository_of(path: str) -> str:
    """The root of the work tree that a path belongs to; the path itself may be gone."""
    folder = Path(os.path.realpath(path))
    while not folder.is_dir():
        folder = folder.parent
    try:
        root = os.fsdecode(_call(str(folder), "rev-parse", "--show-toplevel")).strip("\n")
    except _Refused as problem:
        if _NO_REPOSITORY in str(problem):
            raise GitFailed(f"{path}: is in no git repository") from problem
        raise GitFailed(f"{path}: {problem}") from problem
    if not root:
        raise GitFailed(f"{path}: is in no git repository with a work tree")
    return os.path.realpath(root)


def _line(folder: str, *arguments: str) -> str:
    """What git prints, on one line; empty if it refuses."""
    try:
        return os.fsdecode(_call(folder, *arguments)).strip("\n")
    except _Refused:
        return ""


_NO_REPOSITORY: Final = "not a git repository"


class _Refused(GitFailed):
    pass


def _call(folder: str, *arguments: str, given: str = "") -> bytes:
    command = [*_GIT, "-C", folder, *arguments]
    inherited = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    environ = {**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=TIMEOUT, env=environ, input=given.encode(), check=False
        )
    except FileNotFoundError:
        raise GitFailed("git is not installed, or not on the PATH") from None
    except subprocess.TimeoutExpired:
        raise GitFailed(f"git {arguments[0]} did not end within {TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise _Refused(f"git {arguments[0]} failed: {why[0][:200] if why else f'exit code {done.returncode}'}")
    return done.stdout
