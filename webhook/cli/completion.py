"""Completion in shells: click's own, started by a variable, and that of kubectl, which starts a program of its own."""

import os
from collections.abc import Sequence
from typing import Final

import click

_NO_FILES: Final = 4
"""kubectl's directive that no names of files are proposed; 0 proposes them."""


def completed(command: click.Command, program: str) -> int | None:
    """The exit code if a shell asks for its script or for proposals, as in ``_STAGEGATE_COMPLETE=bash_source``."""
    name = program.replace(" ", "-")
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    instruction = os.environ.get(variable)
    if not instruction:
        return None
    from click.shell_completion import shell_complete

    return shell_complete(command, {}, name, variable, instruction)


def complete_for_kubectl(command: click.Command, words: Sequence[str]) -> int:
    """Print a proposal a line for the last word, and what kubectl is to do besides."""
    from click.shell_completion import ShellComplete

    *before, incomplete = words or [""]
    found = ShellComplete(command, {}, "kubectl stagegate", "").get_completions(list(before), incomplete)
    for item in found:
        if item.type == "plain":
            print(f"{item.value}\t{item.help}" if item.help else item.value)
    print(f":{0 if any(item.type in ('file', 'dir') for item in found) else _NO_FILES}")
    return 0
