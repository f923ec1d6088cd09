"""The files of the corpus, and the rows in them."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.corpus import rolloutorchestrators, stagepodautoscalers

FILES: Final = {"stagepodautoscalers": stagepodautoscalers.rows, "rolloutorchestrators": rolloutorchestrators.rows}


class Row(NamedTuple):
    name: str
    object: dict[str, Any]
    findings: list[str]
    warnings: list[str]


def read(kind: str) -> list[Row]:
    """The rows of a plural, as committed."""
    lines = path_of(kind).read_text(encoding="utf-8").splitlines()
    return [Row(**json.loads(line)) for line in lines]


def write(kind: str) -> Path:
    path_of(kind).write_text(text_of(kind), encoding="utf-8")
    return path_of(kind)


def text_of(kind: str) -> str:
    """What the file of a plural should hold."""
    return "".join(json.dumps(row) + "\n" for row in FILES[kind]())


def path_of(kind: str) -> Path:
    return Path(__file__).with_name(f"{kind}.jsonl")
