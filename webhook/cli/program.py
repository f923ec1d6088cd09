"""Program: what surrounds every command, from checked output to one line and an exit code for an error."""

import traceback
from collections.abc import Callable, Sequence

from webhook.cli.errors import FAILED, INTERRUPTED, CommandError
from webhook.cli.output import checked_output, complain
from webhook.cli.parser import DEBUG


def run_program(name: str, words: Sequence[str], command: Callable[[], int]) -> int:
    """Run the command and return its exit code; an error is one line on standard error, behind ``name``.

    ``words`` are the arguments of the command line: with DEBUG among them an error shows its traceback first.
    Raises SystemExit after --help.
    """
    try:
        with checked_output():
            return command()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as problem:
        return _report(problem, name, debug=DEBUG in words)


def _report(problem: Exception, name: str, *, debug: bool) -> int:
    if isinstance(problem, CommandError):
        line, code = str(problem), problem.exit_code
    else:
        line = f"unexpected {type(problem).__name__}: {problem}; {DEBUG} shows where it comes from"
        code = FAILED
    if debug:
        complain("".join(traceback.format_exception(problem)).rstrip())
    complain(f"{name}: {' '.join(line.split())}")
    return code
