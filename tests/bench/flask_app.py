"""The handler mounted in a Flask app under gunicorn's gthread worker: the same answers through WSGI."""

from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from webhook.admission import EmptyLookup, Settings
from webhook.server.handler import AdmissionHandler
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.pages import make_app


class Embedded(BaseApplication):  # type: ignore[misc]
    """Gunicorn with settings from a dict."""

    def __init__(self, app: Any, settings: dict[str, Any]) -> None:
        self._app, self._settings = app, settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app


def serve(port: int, certificates: Path, threads: int = 8) -> None:
    """Does not return."""
    metrics = ServerMetrics()
    handler = AdmissionHandler(EmptyLookup(), Settings(), metrics)
    good = (True, "ok\n")
    app = make_app("The bench.", lambda: good, lambda now: good, metrics.registry, (handler, Limits()))
    settings = {
        "bind": f"127.0.0.1:{port}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": threads,
        "certfile": str(certificates / "tls.crt"),
        "keyfile": str(certificates / "tls.key"),
        "keepalive": 120,
        "control_socket_disable": True,
        "loglevel": "error",
    }
    Embedded(app, settings).run()
