"""Gunicorn's log, passed on to the handlers of this process."""

import logging
from typing import Any

from gunicorn.glogging import Logger


class GunicornLog(Logger):  # type: ignore[misc]
    """Gunicorn's logger without handlers of its own. There is no access log: the worker writes none."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        logging.getLogger("gunicorn.error").propagate = True

    def reopen_files(self) -> None:
        """Nothing to do: no file is open."""

    def close_on_exec(self) -> None:
        """Nothing to do: no file is open."""
