"""Rows: the files of vectors, those committed beside this file and any others."""

import json
import lzma
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).with_name("recorded")
"""What upstream did, recorded once; see docs/BEHAVIOUR.md."""

_PLAIN, _COMPRESSED = ".jsonl", ".jsonl.xz"


class UnreadableVectors(ValueError):
    """A file of vectors that cannot be read; the message names the file and the line."""


def files_in(directory: Path) -> list[Path]:
    """The files of vectors of a directory, plain or compressed, sorted by name."""
    return sorted(path for path in directory.iterdir() if path.name.endswith((_PLAIN, _COMPRESSED)))


def name_of(path: Path) -> str:
    """The name of a file of vectors without its endings."""
    return path.name.removesuffix(".xz").removesuffix(_PLAIN)


def read_rows(path: Path) -> list[Mapping[str, Any]]:
    """The rows of a file, each with ``id``, ``input`` and ``expected``. Raises UnreadableVectors."""
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UnreadableVectors(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(row, dict) or not {"id", "input", "expected"} <= row.keys():
            raise UnreadableVectors(f"{path}:{number}: a row has an id, an input and an expected")
        rows.append(row)
    return rows


def recorded_rows(*names: str) -> list[Mapping[str, Any]]:
    """The committed rows of these files, in order."""
    return [row for name in names for row in read_rows(RECORDED / f"{name}{_COMPRESSED}")]


def _text(path: Path) -> str:
    try:
        return lzma.decompress(path.read_bytes()).decode() if path.name.endswith(_COMPRESSED) else path.read_text()
    except (lzma.LZMAError, UnicodeDecodeError) as error:
        raise UnreadableVectors(f"{path}: {error}") from None
