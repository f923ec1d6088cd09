"""Programs that are started with ``python -m tests.NAME``: their help, with defaults and examples."""

import argparse
from typing import Any


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_stated = isinstance(action.default, str | int | float) and action.default not in ("", False)
        return super()._get_help_string(action) if is_stated else action.help


def parser_of(program: str, description: str, examples: str, **settings: Any) -> argparse.ArgumentParser:
    """A parser whose help has the default of every option that has one, and ends with the examples."""
    return argparse.ArgumentParser(
        prog=program, description=description, epilog=examples, formatter_class=_Help, **settings
    )
