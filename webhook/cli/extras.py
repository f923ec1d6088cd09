"""Extras: the optional parts of the package that a command can need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from webhook.cli.errors import MISSING, CommandError

_OURS: Final = ("webhook", "certs")


@contextmanager
def sandbox_extra() -> Iterator[None]:
    """For imports that need the extra ``sandbox``. Raises CommandError, with what to install, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] in _OURS:
            raise
        raise CommandError(
            f"the local API server needs {problem.name}; install it with: pip install 'stagegate[sandbox]'", MISSING
        ) from problem
