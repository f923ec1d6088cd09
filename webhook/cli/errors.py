"""The exit codes of every command, and the error that carries one."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
MISSING: Final = 3
TIMED_OUT: Final = 4
WAITING: Final = 5
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141

EXIT_CODES: Final = {
    DONE: "done",
    FAILED: "the answer is no, or the command failed",
    USAGE: "wrong usage",
    MISSING: "something needed is not there: a file, cluster, object, right or port",
    TIMED_OUT: "time ran out",
    WAITING: "waits for a person",
    INTERRUPTED: "interrupted with Ctrl-C",
    CLOSED_PIPE: "whoever read the output has closed it, as head does",
}
"""What each exit code means. ``serve`` and ``loop`` handle Ctrl-C and then exit with 0.

130 and 141 are what a shell reports of a program that SIGINT and SIGPIPE end.
"""


class CommandError(Exception):
    """What is wrong and the way out, in one line; ``exit_code`` is one of EXIT_CODES."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def no_rollout(*names: object) -> CommandError:
    """The error for rollouts, each ``NAMESPACE/NAME``, that do not exist."""
    listed = ", ".join(map(str, names))
    return CommandError(
        f"there is no rollout {listed}; stagegate get lists those of a namespace (-A: of all), and a Service has one "
        "once an edit of it rolls out in stages",
        MISSING,
    )
