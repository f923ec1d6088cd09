"""Documents: the README and its companions as their readers use them, by heading, table, command and link."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

REPOSITORY: Final = Path(__file__).parents[1]
DOCUMENTS: Final = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])

_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`]+)`")
_COMMAND: Final = re.compile(r"(?:kubectl|stagegate|docker|cosign|make|\.venv/bin/\S+)\s.+|\.ci/run")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PROMPT: Final = "$ "


class Section(NamedTuple):
    """The text below a heading of the second level; ``document`` is as ``document_of`` names it."""

    document: str
    name: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Every command once, in order: the lines of console blocks, then what the prose has in backticks.

        In a block with prompts only the lines with one are commands; the others are output.
        """
        found: list[str] = []
        for language, content in _BLOCK.findall(self.text):
            if language == "console":
                found += _typed(content)
        found += [text for text in self.terms if _COMMAND.fullmatch(text)]
        return list(dict.fromkeys(found))

    @property
    def terms(self) -> list[str]:
        """What stands in backticks, on one line each, outside of blocks."""
        return [" ".join(text.split()) for text in _INLINE.findall(_BLOCK.sub("", self.text))]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every table row, without heads and rules."""
        lines = [line for line in self.text.splitlines() if line.startswith("|")]
        heads = {at - 1 for at, line in enumerate(lines) if re.fullmatch(r"[|-]+", line)}
        rows = [line for at, line in enumerate(lines) if at not in heads and at - 1 not in heads]
        return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    @property
    def yaml_documents(self) -> list[dict[str, Any]]:
        """What the YAML blocks hold."""
        blocks = [content for language, content in _BLOCK.findall(self.text) if language == "yaml"]
        return [document for content in blocks for document in yaml.safe_load_all(content)]

    def command(self, start: str) -> str:
        """The one command that starts so."""
        (found,) = (command for command in self.commands if command.startswith(start))
        return found

    def printed(self, start: str) -> list[str]:
        """The lines that are shown as the output of a command."""
        blocks: list[str] = [content for language, content in _BLOCK.findall(self.text) if language == "console"]
        (shown,) = (part for block in blocks for part in block.split(_PROMPT) if part.startswith(start))
        return shown.splitlines()[1:]


def sections() -> list[Section]:
    """The sections of all documents; what stands above the first heading counts as one without a name."""
    found: list[Section] = []
    for path in DOCUMENTS:
        first, *parts = _SECTION.split(path.read_text())
        names = ["", *parts[::2]]
        texts = [first, *parts[1::2]]
        found += [Section(document_of(path), name, text) for name, text in zip(names, texts, strict=True)]
    return found


def document_of(path: Path) -> str:
    """The path of a document, below ``docs`` where it is there; no two have the same."""
    return path.relative_to(REPOSITORY).as_posix().removeprefix("docs/")


def section(name: str, document: str | None = None) -> Section:
    """The one section of this name."""
    (found,) = (each for each in sections() if each.name == name and document in (None, each.document))
    return found


def links(path: Path) -> list[str]:
    return _LINK.findall(_BLOCK.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """The fragments by which a reader reaches the headings of a document."""
    headings = _HEADING.findall(_BLOCK.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _typed(content: str) -> Iterator[str]:
    lines = [line.strip() for line in content.replace("\\\n", "").splitlines() if line.strip()]
    prompted = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
    yield from prompted or [line for line in lines if not line.startswith("#")]
