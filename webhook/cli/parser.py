"""Parser: argparse that says what is wrong in one line."""

import argparse
from typing import Any, Final, NoReturn

from webhook.cli.errors import USAGE, CommandError

DEBUG: Final = "--debug"


class Parser(argparse.ArgumentParser):
    """Takes DEBUG wherever it stands. Raises CommandError for wrong usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": argparse.RawDescriptionHelpFormatter} | options)
        self.add_argument(
            DEBUG, action="store_true", default=argparse.SUPPRESS, help="on an error, show where it comes from"
        )

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message.removeprefix('argument ')}; see: {self.prog} --help", USAGE)
