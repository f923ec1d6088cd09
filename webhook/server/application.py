"""Gunicorn, embedded: one worker on a socket that is already bound."""

import os
import signal
import socket
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from webhook.server.gunicorn_log import GunicornLog
from webhook.server.service import Service
from webhook.server.worker import StagegateWorker
from webhook.signals import ending_signals, held_back, ignore_the_rest

_AT_ONCE: Final = (signal.SIGINT, signal.SIGQUIT)
_MEMORY_FILES: Final = "/dev/shm"  # noqa: S108


class Application(BaseApplication):  # type: ignore[misc]
    """Serves a service on a socket until an ending signal; ``run`` does not return but exits with 0."""

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self.service = service
        self._descriptor = listener.detach()
        super().__init__()

    def load_config(self) -> None:
        for name, value in settings_for(self.service, self._descriptor).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self.service

    def run(self) -> None:
        StagegateArbiter(self).run()


class StagegateArbiter(Arbiter):  # type: ignore[misc]
    """Handles the ending signals only: a pod needs no second server, no other workers, no other configuration."""

    def init_signals(self) -> None:
        ignore_the_rest()
        self.SIGNALS = ending_signals()
        super().init_signals()

    def spawn_worker(self) -> int:
        """Hold signals back until the worker has handlers of its own: those it inherits discard them."""
        with held_back():
            return int(super().spawn_worker())

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Signals that end at once come first, because handling one that drains discards those queued behind it."""
        return sorted(super().wait_for_signals(timeout), key=lambda number: number not in _AT_ONCE)

    def handle_hup(self) -> None:
        """SIGHUP drains, as SIGTERM does."""
        self.handle_term()


def settings_for(service: Service, descriptor: int) -> dict[str, Any]:
    """Gunicorn's settings, by its own names."""
    limits = service.limits
    return {
        "bind": f"fd://{descriptor}",
        "workers": 1,
        "worker_class": StagegateWorker,
        "graceful_timeout": int(limits.drain_seconds + limits.finish_seconds + limits.close_seconds + 3),
        "timeout": 30,
        # It needs a home directory; a pod with a read-only root has none.
        "control_socket_disable": True,
        # The file of the worker's heartbeat; a stalled disk must not make the arbiter kill the worker.
        "worker_tmp_dir": _MEMORY_FILES if os.access(_MEMORY_FILES, os.W_OK) else None,
        "accesslog": None,
        "logger_class": GunicornLog,
        "loglevel": "info",
        "proc_name": "stagegate serve",
    }
