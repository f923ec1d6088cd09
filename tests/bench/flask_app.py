"""The handler mounted in a Flask app under gunicorn's gthread worker: the same answers through WSGI."""

from pathlib import Path

from tests.bench.bare_app import Embedded, gunicorn_settings
from webhook.admission import EmptyLookup, Settings
from webhook.server.handler import AdmissionHandler
from webhook.server.limits import Limits
from webhook.server.metrics import ServerMetrics
from webhook.server.pages import make_app


def serve(port: int, certificates: Path, threads: int = 8) -> None:
    """Does not return."""
    metrics = ServerMetrics()
    handler = AdmissionHandler(EmptyLookup(), Settings(), metrics)
    good = (True, "ok\n")
    app = make_app("The bench.", lambda: good, lambda now: good, metrics.registry, (handler, Limits()))
    settings = gunicorn_settings(port, certificates)
    Embedded(app, settings | {"worker_class": "gthread", "threads": threads}).run()
