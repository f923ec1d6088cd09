"""Parser: argparse with errors of one line and without abbreviated options."""

import argparse
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from webhook.cli.errors import USAGE, CommandError

DEBUG: Final = "--debug"


class Parser(argparse.ArgumentParser):
    """Takes DEBUG wherever it stands. Raises CommandError for wrong usage."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        own: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(*arguments, **own | options)
        self.add_argument(
            DEBUG, action="store_true", default=argparse.SUPPRESS, help="on an error, show where it comes from"
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Raise for unknown options here: argparse leaves them to the outermost parser, whose help is another."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message.removeprefix('argument ')}; see: {self.prog} --help", USAGE)
