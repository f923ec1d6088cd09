"""A problem that the person at the command line can mend."""

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
MISSING: Final = 3


class CommandError(Exception):
    """One clear line: what is wrong and the way out; ``exit_code`` says of which kind it is."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
