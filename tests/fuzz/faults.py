"""The faults that the product caught and logged: each is a find."""

import io
import logging
from typing import Final

from webhook.cli.logs import JsonLine

LOGGERS: Final = ("stagegate", "webhook")
"""Those of the product."""


class Faults(logging.Handler):
    """Takes every log record, formats it as ``serve`` does, and keeps the exceptions in them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.caught: list[BaseException] = []
        self._line = JsonLine()
        self._stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
        self._levels = {name: logging.getLogger(name).level for name in LOGGERS}
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger().addHandler(self)

    def close(self) -> None:
        """Take no more, and leave the loggers as they were."""
        logging.getLogger().removeHandler(self)
        for name, level in self._levels.items():
            logging.getLogger(name).setLevel(level)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line.format(record)
            self._stream.write(line)
            self._stream.seek(0)
            if "\n" in line:
                raise ValueError(f"more than one line: {line[:200]!r}")
        except Exception as problem:
            self.caught.append(problem)
        if record.exc_info and record.exc_info[1] is not None:
            self.caught.append(record.exc_info[1])

    def forget(self) -> None:
        """Take what was logged so far as expected."""
        self.caught.clear()

    def raise_any(self) -> None:
        """Raise the first exception that was logged since the last call."""
        if self.caught:
            problem = self.caught[0]
            self.forget()
            raise AssertionError(f"an exception was caught and logged: {problem!r}") from problem
