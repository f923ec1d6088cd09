"""Command: click's commands with our help, options in sections, and options that take several values."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

DEBUG: Final = "--debug"

_F = TypeVar("_F", bound=Callable[..., Any])
_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 120}


class Options(SimpleNamespace):
    """The values of a command's options, by name, for commands that have too many to be parameters."""


class Option(click.Option):
    """An option with the section of the help under which it stands; ``several`` lets it take more than one word."""

    def __init__(self, *declarations: Any, section: str = "", several: bool = False, **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.section = section
        self.several = several


def section(title: str) -> Callable[..., Callable[[_F], _F]]:
    """A ``click.option`` whose options stand under this title in the help."""
    return partial(click.option, cls=Option, section=title)


class Command(click.Command):
    """A command with ``--debug``, options in sections, and its examples printed as they are written."""

    def __init__(self, name: str | None = None, **settings: Any) -> None:
        super().__init__(name, **_with_settings(settings))
        self.params.append(_debug())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, and ``--host a b`` stands for ``--host a --host b`` where an option takes several words."""
        several = {name for each in self.params if isinstance(each, Option) and each.several for name in each.opts}
        try:
            return super().parse_args(ctx, list(_repeated(args, several)))
        except click.UsageError as problem:
            # click leaves the command out where an option has no value; the error names its help.
            problem.ctx = problem.ctx or ctx
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"": []}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            # click shows arguments that have a text in a section of their own.
            if record is not None and not isinstance(each, click.Argument):
                rows.setdefault(getattr(each, "section", ""), []).append(record)
        for title, records in rows.items():
            with formatter.section(f"{title[:1].upper()}{title[1:]}" or "Options"):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_epilog(self.epilog, formatter)


class Group(click.Group):
    """A group of commands, with ``--debug``, whose help ends with examples."""

    command_class = Command

    def __init__(self, name: str | None = None, **settings: Any) -> None:
        super().__init__(name, **{"no_args_is_help": False, **_with_settings(settings)})
        self.params.append(_debug())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_epilog(self.epilog, formatter)


class LazyGroup(Group):
    """A group whose commands are the ``command`` of a module each, imported only when that command is named.

    ``summaries`` has the names of the commands with a line about each; ``explain-rule`` is in ``explain_rule.py``.
    """

    def __init__(self, name: str | None = None, *, package: str, summaries: Mapping[str, str], **settings: Any) -> None:
        super().__init__(name, **settings)
        self._package = package
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._summaries:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        if command.help is None:
            summary = self._summaries[cmd_name]
            command.help = f"{summary[0].upper()}{summary[1:]}."
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; for an unknown command those with a similar name are proposed."""
        word = args[0]
        if word not in self._summaries and not word.startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(word, possibilities=self._summaries, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=text) for name, text in self._summaries.items()]
        commands = [item for item in found if item.value.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


def _with_settings(settings: dict[str, Any]) -> dict[str, Any]:
    return {**settings, "context_settings": {**_SETTINGS, **settings.get("context_settings", {})}}


def _debug() -> click.Option:
    return click.Option([DEBUG], is_flag=True, expose_value=False, help="On an error, show where it comes from.")


def _write_epilog(epilog: str | None, formatter: click.HelpFormatter) -> None:
    if epilog:
        formatter.write_paragraph()
        formatter.write(epilog)


def _repeated(words: Sequence[str], several: set[str]) -> Iterator[str]:
    """The words, with the name of an option in ``several`` before each of its values but the first."""
    name, has_value = "", False
    for word in words:
        if word.startswith("-") and word != "-":
            name, has_value = (word if word in several else ""), False
        elif name:
            if has_value:
                yield name
            has_value = True
        yield word
