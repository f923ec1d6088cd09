"""Dockerfile: its stages and their instructions, as far as ours uses the language."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
_KNOWN: Final = {
    *("FROM", "ARG", "RUN", "COPY", "WORKDIR", "ENV", "LABEL", "USER", "EXPOSE", "ENTRYPOINT", "CMD"),
}


@dataclass(frozen=True)
class Instruction:
    """A word and what follows it, on one line."""

    word: str
    rest: str


@dataclass(frozen=True)
class Stage:
    """What begins with a FROM; ``name`` is empty for the last one."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [each.rest for each in self.instructions if each.word == word]

    def last(self, word: str) -> str:
        return self.all(word)[-1]

    def listed(self, word: str) -> list[str]:
        """Of an instruction in exec form."""
        found: list[str] = json.loads(self.last(word))
        return found

    def pairs(self, word: str) -> dict[str, str]:
        """Of ENV and LABEL."""
        return dict(each.split("=", 1) for rest in self.all(word) for each in shlex.split(rest))


def parse(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first FROM, and the stages with them filled in. Raises ValueError."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for each in _instructions(text):
        if each.word not in _KNOWN:
            raise ValueError(f"cannot play {each.word}")
        if each.word == "FROM":
            base, _, name = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], each.rest).partition(" AS ")
            stages.append(Stage(base, name))
        elif not stages:
            name, _, value = each.rest.partition("=")
            arguments[name] = value
        else:
            stages[-1].instructions.append(each)
    return arguments, stages


def _instructions(text: str) -> Iterator[Instruction]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Instruction(word, rest.strip())


def sent(path: Path, patterns: list[str]) -> bool:
    """Whether .dockerignore lets this path, relative to the context, be copied; the last pattern that fits decides."""
    kept = True
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        if any(_fits(candidate, bare) for candidate in (path, *path.parents[:-1])):
            kept = pattern.startswith("!")
    return kept


def _fits(path: Path, pattern: str) -> bool:
    expression = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(expression, str(path)) is not None


def ignored_patterns() -> list[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    return [line.strip().rstrip("/") for line in lines if line.strip() and not line.startswith("#")]
