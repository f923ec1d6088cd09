"""Output: the answer of a command on standard output, talk on standard error, and ``-o json`` and ``-o yaml``."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar, cast

import click

from webhook.cli.command import section
from webhook.cli.streams import LossyStream

if TYPE_CHECKING:
    from webhook.cli.terminal import Terminal

_F = TypeVar("_F", bound=Callable[..., Any])

JSON: Final = "json"
YAML: Final = "yaml"


class Output:
    """Where a command writes. ``form`` is what ``-o`` asks for, empty for text."""

    def __init__(self, form: str = "", *, no_color: bool = False) -> None:
        self.form = form
        self._is_plain = no_color or bool(os.environ.get("NO_COLOR"))

    @property
    def is_document(self) -> bool:
        """True if the answer is to be ``document``, and nothing else."""
        return self.form in (JSON, YAML)

    @cached_property
    def answer(self) -> "Terminal":
        """The console of standard output: tables, trees and live views of rich."""
        from webhook.cli.terminal import Terminal

        return Terminal(sys.stdout, plain=self._is_plain)

    @cached_property
    def talk(self) -> "Terminal":
        """The console of standard error, for what is not part of the answer: progress, hints, warnings."""
        from webhook.cli.terminal import Terminal

        return Terminal(cast("TextIO", LossyStream(sys.stderr)), plain=self._is_plain)

    def document(self, kind: str, content: Mapping[str, Any]) -> None:
        """Print the answer for programs, with the name and version of its schema. Needs ``is_document``."""
        from webhook.cli.documents import document, json_text, yaml_text

        print((json_text if self.form == JSON else yaml_text)(document(kind, content)), end="", flush=True)


def output_options(*forms: str) -> Callable[[_F], Callable[..., Any]]:
    """Add ``-o`` with json, yaml and these forms, and ``--no-color``; the command gets them as ``output``."""

    def decorated(command: _F) -> Callable[..., Any]:
        @wraps(command)
        def with_output(*, output_form: str | None, no_color: bool, **others: Any) -> Any:
            return command(output=Output(output_form or "", no_color=no_color), **others)

        option = section("output")
        choices = click.Choice([JSON, YAML, *forms])
        plain = option("--no-color", is_flag=True, help="No colors; so do $NO_COLOR, TERM=dumb and a pipe.")
        form = option("-o", "--output", "output_form", type=choices, help="Print this in place of text.")
        return form(plain(with_output))

    return decorated
