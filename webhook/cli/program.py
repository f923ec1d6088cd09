"""Program: what surrounds every command, from checked output to one line and an exit code for an error."""

import logging
import traceback
from collections.abc import Callable, Sequence
from typing import Final

import click
from click.exceptions import Exit, NoArgsIsHelpError, NoSuchCommand, NoSuchOption

from webhook.cli.command import DEBUG
from webhook.cli.completion import completed
from webhook.cli.errors import DONE, FAILED, INTERRUPTED, USAGE, CommandError
from webhook.cli.streams import ClosedPipe, checked_output, complain

_LOG: Final = logging.getLogger(__name__)


def run_click(command: click.Command, program: str, words: Sequence[str]) -> int:
    """Run a command of click under this name; return its exit code. An error is one line on standard error."""
    first = next((word for word in words if not word.startswith("-")), None)
    is_known = isinstance(command, click.Group) and first in command.list_commands(click.Context(command))
    who = f"{program} {first}" if is_known else program
    return run_program(who, words, lambda: _invoke(command, program, list(words)))


def run_program(name: str, words: Sequence[str], command: Callable[[], int]) -> int:
    """Run the command and return its exit code; an error is one line on standard error, behind ``name``.

    ``words`` are the arguments of the command line: with DEBUG among them an error shows its traceback first.
    """
    try:
        with checked_output():
            return command()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except ClosedPipe as problem:
        return problem.exit_code
    except Exception as problem:
        return _report(problem, name, debug=DEBUG in words)


def _invoke(command: click.Command, program: str, words: list[str]) -> int:
    done = completed(command, program)
    if done is not None:
        return done
    try:
        with command.make_context(program, words) as context:
            return int(command.invoke(context) or DONE)
    except Exit as ended:
        return ended.exit_code
    except NoArgsIsHelpError as problem:
        print(problem.format_message())
        return USAGE
    except click.ClickException as problem:
        raise CommandError(_sentence(problem), USAGE) from problem


def _sentence(problem: click.ClickException) -> str:
    """What is wrong, and the way out, in our words."""
    says = problem.message
    if isinstance(problem, click.MissingParameter) and problem.param is not None:
        says = f"{_name_of(problem.param)} is missing"
    elif isinstance(problem, click.BadParameter) and problem.param is not None:
        says = f"{_name_of(problem.param)}: {says.rstrip('.')}"
    else:
        says = f"{says[:1].lower()}{says[1:]}".rstrip(".")
    if isinstance(problem, NoSuchOption | NoSuchCommand) and problem.possibilities:
        says += f"; did you mean {' or '.join(sorted(problem.possibilities))}?"
    context = getattr(problem, "ctx", None)
    return says if context is None else f"{says}; see: {context.command_path} --help"


def _name_of(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.human_readable_name.strip("[].")


def _report(problem: Exception, name: str, *, debug: bool) -> int:
    if isinstance(problem, CommandError):
        line, code = str(problem), problem.exit_code
    else:
        line = f"unexpected {type(problem).__name__}: {problem}; {DEBUG} shows where it comes from"
        code = FAILED
        if logging.getLogger().handlers:
            # A process that writes a log, such as the loop: nobody starts it again with the option for debugging.
            _LOG.critical("%s ends: unexpected exception", name, exc_info=problem)
    if debug:
        complain("".join(traceback.format_exception(problem)).rstrip())
    complain(f"{name}: {' '.join(line.split())}")
    return code
