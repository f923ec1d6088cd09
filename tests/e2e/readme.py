"""The README as its readers use it: the commands and the YAML of each section."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from tests.e2e.administrator import REPOSITORY

_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`((?:kubectl|stagegate|docker)\s[^`]+)`")
_PROMPT: Final = "$ "


def commands(*sections: str) -> list[str]:
    """Every command of these sections once, in their order: lines of console blocks, and what prose has in backticks.

    Of a block with prompts only the lines that have one are commands; the others are what was printed.
    """
    found: list[str] = []
    for section in sections:
        text = _section(section)
        for language, content in _BLOCK.findall(text):
            if language == "console":
                found += _typed(content)
        found += [" ".join(each.split()) for each in _INLINE.findall(_BLOCK.sub("", text))]
    return list(dict.fromkeys(found))


def command(section: str, start: str) -> str:
    """The one command of a section that starts so."""
    (found,) = (each for each in commands(section) if each.startswith(start))
    return found


def printed(section: str, start: str) -> list[str]:
    """The lines that the README shows as the answer to a command."""
    blocks: list[str] = [content for language, content in _BLOCK.findall(_section(section)) if language == "console"]
    (answer,) = (each for block in blocks for each in block.split(_PROMPT) if each.startswith(start))
    return answer.splitlines()[1:]


def documents(section: str) -> list[dict[str, Any]]:
    """What the YAML blocks of a section hold."""
    blocks = [content for language, content in _BLOCK.findall(_section(section)) if language == "yaml"]
    return [document for content in blocks for document in yaml.safe_load_all(content)]


def _section(name: str) -> str:
    parts = _SECTION.split((REPOSITORY / "README.md").read_text())
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return sections[name]


def _typed(content: str) -> Iterator[str]:
    lines = [line for line in content.splitlines() if line.strip()]
    prompted = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
    yield from prompted or lines
