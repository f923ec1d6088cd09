"""Gunicorn, embedded: one worker with threads, since each stream takes one as long as it lasts."""

import os
import socket
from collections.abc import Callable
from typing import Any, Final

from flask import Flask
from gunicorn.app.base import BaseApplication

from webhook.gunicorn_log import GunicornLog

_OTHER_THREADS: Final = 8
"""Threads for pages, beside those of streams: open streams never hold up a probe."""
_MEMORY_FILES: Final = "/dev/shm"  # noqa: S108


class WebApplication(BaseApplication):  # type: ignore[misc]
    """Serves an app on a socket until an ending signal; ``run`` does not return but exits with 0.

    ``make`` is called in the worker: the threads that it starts would not survive the fork.
    """

    def __init__(self, make: Callable[[], Flask], listener: socket.socket, streams: int) -> None:
        self._make, self._descriptor, self._streams = make, listener.detach(), streams
        super().__init__()

    def load_config(self) -> None:
        for name, value in settings_for(self._descriptor, self._streams).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make()


def settings_for(descriptor: int, streams: int) -> dict[str, Any]:
    """Gunicorn's settings, by its own names."""
    return {
        "bind": f"fd://{descriptor}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": streams + _OTHER_THREADS,
        "worker_connections": 2 * (streams + _OTHER_THREADS),
        "keepalive": 5,
        "timeout": 60,
        # Streams do not end by themselves.
        "graceful_timeout": 2,
        "limit_request_line": 4094,
        "limit_request_fields": 50,
        "control_socket_disable": True,
        "worker_tmp_dir": _MEMORY_FILES if os.access(_MEMORY_FILES, os.W_OK) else None,
        "accesslog": None,
        "logger_class": GunicornLog,
        "loglevel": "warning",
        "proc_name": "stagegate web",
    }
