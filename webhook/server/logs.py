"""Gunicorn's own log, sent where all records go."""

import logging
from typing import Any, Final

from gunicorn.glogging import Logger

_THEIRS: Final = ("gunicorn.error", "gunicorn.access")


class Logs(Logger):  # type: ignore[misc]
    """Gunicorn's logger, on the handlers that are already there."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        for name in _THEIRS:
            logging.getLogger(name).propagate = True

    def reopen_files(self) -> None:
        """There are none."""

    def close_on_exec(self) -> None:
        """There are no files of ours."""
