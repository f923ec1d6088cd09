"""Streams: standard output and standard error, each of which can be closed, a broken pipe, or on a full disk."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, Final, TextIO

from webhook.cli.errors import CLOSED_PIPE, MISSING, CommandError
from webhook.text import visible

_CLOSED: Final = "cannot write to standard output: it is closed"


class ClosedPipe(CommandError):
    """The reader of standard output has closed it, as ``head`` does; that is no error."""


class CheckedStream:
    """A stream that raises CommandError for what it cannot write, and after that discards everything."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if self._stream is None:
            raise CommandError(_CLOSED, MISSING)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._stream is None:
            raise CommandError(_CLOSED, MISSING)
        with self._checked(self._stream):
            return self._stream.write(text)

    def flush(self) -> None:
        if self._stream is not None:
            with self._checked(self._stream):
                self._stream.flush()

    @contextmanager
    def _checked(self, stream: TextIO) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            _throw_away(stream)
            message = f"cannot write to standard output: {problem.strerror or problem}"
            if isinstance(problem, BrokenPipeError):
                raise ClosedPipe(message, CLOSED_PIPE) from problem
            raise CommandError(message, MISSING) from problem


@contextmanager
def checked_output() -> Iterator[None]:
    """Standard output for the block is a CheckedStream, written out at its end.

    An error of the block comes before one of the output.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What an old terminal's encoding lacks is escaped, as on standard error.
        sys.stdout.reconfigure(errors="backslashreplace")
    output = CheckedStream(sys.stdout)
    with redirect_stdout(output):
        try:
            yield
        except (Exception, KeyboardInterrupt):
            with suppress(CommandError):
                output.flush()
            raise
        output.flush()


class LossyStream:
    """Standard error, which may be closed or on a full disk too: what cannot be written is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream: TextIO = io.StringIO() if stream is None else stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            _throw_away(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _throw_away(self._stream)


def complain(line: str) -> None:
    """Write a line to standard error, with control characters made visible; if that fails too, the line is lost."""
    stream = LossyStream(sys.stderr)
    stream.write(f"{visible(line)}\n")
    stream.flush()


def _throw_away(stream: TextIO) -> None:
    """Discard what is still written to this stream: the interpreter flushes it once more when it ends."""
    # A stand-in for a standard stream has no descriptor.
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
