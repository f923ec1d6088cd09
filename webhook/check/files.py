"""The files of a run: named ones, those in folders, and standard input; bounded in number and length."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from webhook.check.source_text import MAX_BYTES

SUFFIXES: Final = (".yaml", ".yml", ".json")
"""How the names of files in folders end; a file that is named itself may have any name."""

MAX_FILES: Final = 100_000


class MissingFile(Exception):
    """A path that cannot be read, and why, in one line."""


class Input(NamedTuple):
    """The bytes of one file. ``is_rendered`` is true for standard input, which may name the real files."""

    name: str
    data: bytes
    is_json: bool = False
    is_rendered: bool = False


def inputs_of(paths: Iterable[str], stdin: Iterable[bytes] = ()) -> Iterator[Input]:
    """The files at these paths, each once; ``-`` is standard input, given in pieces. Raises MissingFile."""
    seen: set[str] = set()
    for path in paths:
        if path == "-":
            if path not in seen:
                yield Input("stdin", _first_bytes(stdin), is_rendered=True)
            seen.add(path)
            continue
        for name in _files_at(path):
            real = os.path.realpath(name)
            if real not in seen:
                seen.add(real)
                if len(seen) > MAX_FILES:
                    raise MissingFile(f"{path}: more than {MAX_FILES:,} files; name fewer folders")
                yield Input(name, _content(name), is_json=name.endswith(".json"))


def _first_bytes(pieces: Iterable[bytes]) -> bytes:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > MAX_BYTES:
            break
    return bytes(data)


def _files_at(path: str) -> Iterator[str]:
    """The file at a path, or the files below it. Links to folders, and folders with a leading dot, are not followed."""
    if not Path(path).is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path, onerror=_refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            one = os.path.normpath(str(Path(folder, name)))
            if name.endswith(SUFFIXES) and Path(one).is_file():
                yield one


def _refused(problem: OSError) -> None:
    raise MissingFile(f"cannot read {problem.filename}: {problem.strerror}") from problem


def _content(name: str) -> bytes:
    """The bytes of a file, at most one more than may be."""
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else str(problem)
        raise MissingFile(f"cannot read {name}: {why}") from problem
